//! IP addresses as they stand in headers and logs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address in a text that may have a port, brackets or a zone around it.
pub(super) fn read(text: &str) -> Option<IpAddr> {
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']')?;
            let is_fine = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
            is_fine.then(|| v6(inner)).flatten()?.into()
        }
        None => match text.split_once(':') {
            Some((inner, port)) if is_port(port) => inner.parse::<Ipv4Addr>().ok()?.into(),
            Some(_) => v6(text)?.into(),
            None => text.parse::<Ipv4Addr>().ok()?.into(),
        },
    };
    Some(IpAddr::to_canonical(&address))
}

fn v6(text: &str) -> Option<Ipv6Addr> {
    match text.split_once('%') {
        Some((_, "")) => None,
        Some((address, _zone)) => address.parse().ok(),
        None => text.parse().ok(),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_an_address_is_left_out() {
        for (sent, kept) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:51544", "203.0.113.7"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("::1", "::1"),
        ] {
            assert_eq!(
                read(sent).map(|address| address.to_string()).as_deref(),
                Some(kept),
                "{sent}"
            );
        }
        for bad in [
            "",
            "here",
            "203.0.113",
            "203.0.113.7:",
            "203.0.113.7:99999",
            "203.0.113.7:+1",
            "[203.0.113.7]",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:",
            "fe80::1%",
            "203.0.113.7%eth0",
            "203.0.113.7, 10.0.0.1",
            ":80",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
