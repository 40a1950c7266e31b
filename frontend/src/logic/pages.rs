//! The row of page buttons, and which items a page shows.

/// How many buttons the row holds at most.
const MAX_BUTTONS: u64 = 9;
/// How many pages are shown on each side of the current one.
const NEIGHBOURS: u64 = 2;
/// How many pages in a row are shown where the window touches the first or the last page:
/// all buttons but one "…" and the page at the other end.
const AT_AN_END: u64 = MAX_BUTTONS - 2;

/// A button of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PageButton {
    /// Leads to the page it names.
    Page(u64),
    /// "…" in place of pages that are left out; leads to the middle one of them, so that
    /// any page of a long log is a few presses away.
    Jump(u64),
}

/// The buttons for a page among `total_pages`: the first, the last, the page and two
/// neighbours on each side, and "…" for two or more pages left out between them.
///
/// Past nine pages the row always holds nine buttons, so none moves away under the pointer.
/// A page that doesn't exist gives the row of the nearest one that does; no pages, no buttons.
pub(crate) fn page_window(page: u64, total_pages: u64) -> Vec<PageButton> {
    let last = total_pages;
    if last <= MAX_BUTTONS {
        return (1..=last).map(PageButton::Page).collect();
    }
    let page = page.clamp(1, last);
    // A window whose gap to an end would be a single page reaches to that end instead.
    let (low, high) = if page <= AT_AN_END - NEIGHBOURS {
        (1, AT_AN_END)
    } else if page > last - (AT_AN_END - NEIGHBOURS) {
        (last - AT_AN_END + 1, last)
    } else {
        (page - NEIGHBOURS, page + NEIGHBOURS)
    };
    let mut buttons = Vec::with_capacity(MAX_BUTTONS as usize);
    if low > 1 {
        buttons.extend([PageButton::Page(1), jump(2, low - 1)]);
    }
    buttons.extend((low..=high).map(PageButton::Page));
    if high < last {
        buttons.extend([jump(high + 1, last - 1), PageButton::Page(last)]);
    }
    buttons
}

/// The "…" for the pages from one to another.
fn jump(from: u64, to: u64) -> PageButton {
    PageButton::Jump(from + (to - from) / 2)
}

/// The first and the last item of a page, counted from 1, for "Showing 1-25 of 412 items";
/// `None` when it shows none.
pub(crate) fn range(page: u64, page_size: u64, shown: u64, total: u64) -> Option<(u64, u64)> {
    let before = page.checked_sub(1)?.checked_mul(page_size)?;
    if shown == 0 || before >= total {
        return None;
    }
    Some((before + 1, before.saturating_add(shown).min(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row as text: `1 …12 17`.
    fn row(page: u64, total_pages: u64) -> String {
        let button = |button: &PageButton| match button {
            PageButton::Page(page) => page.to_string(),
            PageButton::Jump(page) => format!("…{page}"),
        };
        page_window(page, total_pages).iter().map(button).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_row_shows_the_ends_and_the_neighbours() {
        for (page, total_pages, expected) in [
            (1, 0, ""),
            (1, 1, "1"),
            (4, 9, "1 2 3 4 5 6 7 8 9"),
            (1, 10, "1 2 3 4 5 6 7 …8 10"),
            (5, 17, "1 2 3 4 5 6 7 …12 17"),
            (6, 17, "1 …2 4 5 6 7 8 …12 17"),
            (12, 17, "1 …5 10 11 12 13 14 …15 17"),
            (13, 17, "1 …6 11 12 13 14 15 16 17"),
            (17, 17, "1 …6 11 12 13 14 15 16 17"),
            (0, 17, "1 2 3 4 5 6 7 …12 17"),
            (18, 17, "1 …6 11 12 13 14 15 16 17"),
            (u64::MAX, 1, "1"),
        ] {
            assert_eq!(row(page, total_pages), expected, "page {page} of {total_pages}");
        }
        assert_eq!(page_window(u64::MAX, u64::MAX).len(), 9);
    }

    #[test]
    fn every_row_keeps_the_rules() {
        for last in 1..=40 {
            for page in 1..=last {
                let buttons = page_window(page, last);
                let shown: Vec<u64> = buttons
                    .iter()
                    .filter_map(|button| match button {
                        PageButton::Page(page) => Some(*page),
                        PageButton::Jump(_) => None,
                    })
                    .collect();
                assert_eq!(buttons.len() as u64, last.min(9));
                assert_eq!((shown[0], shown[shown.len() - 1]), (1, last));
                let near = page.saturating_sub(2).max(1)..=(page + 2).min(last);
                assert!(near.into_iter().all(|page| shown.contains(&page)));
                let mut next = 1;
                for (index, button) in buttons.iter().enumerate() {
                    match *button {
                        PageButton::Page(page) => {
                            assert_eq!(page, next);
                            next += 1;
                        }
                        PageButton::Jump(to) => {
                            let Some(PageButton::Page(after)) = buttons.get(index + 1) else {
                                panic!("… ends the row")
                            };
                            assert!(after - next >= 2, "… for a single page");
                            assert!((next..*after).contains(&to));
                            next = *after;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_range_counts_from_one() {
        assert_eq!(range(1, 25, 25, 412), Some((1, 25)));
        assert_eq!(range(17, 25, 12, 412), Some((401, 412)));
        assert_eq!(range(17, 25, 25, 412), Some((401, 412)));
        for (page, shown, total) in
            [(1, 0, 0), (1, 0, 412), (18, 0, 412), (18, 5, 412), (0, 5, 412), (u64::MAX, 5, 412)]
        {
            assert_eq!(range(page, 25, shown, total), None);
        }
    }
}
