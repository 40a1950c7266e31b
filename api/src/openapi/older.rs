//! OpenAPI 3.1 told in OpenAPI 3.0.3, for tools that read nothing newer.

use serde_json::{Map, Value, json};

/// A document of 3.1 in 3.0.3. What 3.0 can't say is left out: it then allows more.
pub(super) fn to_3_0(document: Value) -> Value {
    let mut document = document;
    document["openapi"] = "3.0.3".into();
    // Licenses have no SPDX identifier there.
    if let Some(license) = document["info"]["license"].as_object_mut() {
        license.remove("identifier");
    }
    rewrite(&mut document);
    document
}

/// Rewrites every schema, wherever it is. Apart from schemas, nothing has the keys that are
/// rewritten in the form in which schemas have them.
fn rewrite(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                let is_data = matches!(key.as_str(), "default" | "example" | "examples" | "enum")
                    || key.starts_with("x-");
                match value {
                    // Here the keys are names of fields.
                    Value::Object(fields) if key == "properties" => {
                        fields.values_mut().for_each(rewrite);
                    }
                    value if !is_data => rewrite(value),
                    _ => {}
                }
            }
            rewrite_keys(object);
        }
        _ => {}
    }
}

fn rewrite_keys(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get("type") {
        let is_null = |kind: &Value| kind == "null";
        let nullable = types.iter().any(is_null);
        let mut others = types.iter().filter(|kind| !is_null(kind));
        let (only, more) = (others.next().cloned(), others.next().is_some());
        schema.remove("type");
        if let Some(only) = only.filter(|_| !more) {
            schema.insert("type".to_owned(), only);
            if nullable {
                schema.insert("nullable".to_owned(), true.into());
            }
        } else {
            // Without a type it is any of them, null too, and what is in it may be anything.
            schema.remove("items");
            schema.remove("additionalProperties");
        }
    }
    for choice in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = schema.get_mut(choice) else { continue };
        let before = choices.len();
        choices.retain(|choice| choice["type"] != "null");
        if choices.len() == before {
            continue;
        }
        schema.insert("nullable".to_owned(), true.into());
        if schema[choice].as_array().is_some_and(|choices| choices.len() == 1)
            && let Some(only) = schema.remove(choice)
        {
            schema.insert("allOf".to_owned(), only);
        }
    }
    if schema.get("examples").is_some_and(Value::is_array)
        && let Some(Value::Array(examples)) = schema.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        schema.insert("example".to_owned(), first);
    }
    if schema.contains_key("type") || schema.contains_key("enum") {
        schema.remove("propertyNames");
    }
    if let Some(only) = schema.get("const").filter(|only| !only.is_object()).cloned() {
        schema.remove("const");
        schema.insert("enum".to_owned(), json!([only]));
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(limit) = schema.get(exclusive).filter(|limit| limit.is_number()).cloned() {
            schema.insert(bound.to_owned(), limit);
            schema.insert(exclusive.to_owned(), true.into());
        }
    }
    // What stands beside a reference is not read.
    if schema.len() > 1
        && let Some(reference) = schema.remove("$ref")
    {
        schema.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(schema: Value) -> Value {
        let document = json!({"info": {}, "components": {"schemas": {"It": schema}}});
        to_3_0(document)["components"]["schemas"]["It"].clone()
    }

    #[test]
    fn each_keyword_says_what_it_said() {
        for (newer, older) in [
            (json!({"type": "string"}), json!({"type": "string"})),
            (json!({"type": ["string", "null"]}), json!({"type": "string", "nullable": true})),
            (json!({"type": ["object", "array", "null"], "items": {}}), json!({})),
            (json!({"type": ["string", "integer"]}), json!({})),
            (
                json!({"oneOf": [{"$ref": "#/x"}, {"type": "null"}], "description": "d"}),
                json!({"allOf": [{"$ref": "#/x"}], "nullable": true, "description": "d"}),
            ),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
                json!({"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": true}),
            ),
            (
                json!({"oneOf": [{"$ref": "#/x"}, {"$ref": "#/y"}]}),
                json!({"oneOf": [{"$ref": "#/x"}, {"$ref": "#/y"}]}),
            ),
            (json!({"$ref": "#/x"}), json!({"$ref": "#/x"})),
            (
                json!({"$ref": "#/x", "description": "d"}),
                json!({"allOf": [{"$ref": "#/x"}], "description": "d"}),
            ),
            (json!({"examples": [{"examples": [1]}, 2]}), json!({"example": {"examples": [1]}})),
            (json!({"const": "a"}), json!({"enum": ["a"]})),
            (json!({"exclusiveMinimum": 0}), json!({"minimum": 0, "exclusiveMinimum": true})),
            (json!({"exclusiveMaximum": 9}), json!({"maximum": 9, "exclusiveMaximum": true})),
            (
                json!({"type": "object", "propertyNames": {"type": "string"}}),
                json!({"type": "object"}),
            ),
        ] {
            assert_eq!(schema(newer.clone()), older, "{newer}");
            let within = json!({"type": "array", "items": {"properties": {"a": newer}}});
            assert_eq!(schema(within)["items"]["properties"]["a"], older, "{newer}");
        }
    }

    #[test]
    fn fields_may_be_named_like_keywords() {
        let names = ["type", "examples", "const", "oneOf", "propertyNames", "enum", "default"];
        let fields: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
        let object = json!({"type": "object", "properties": fields});
        assert_eq!(schema(object.clone()), object);
    }

    #[test]
    fn nothing_of_3_1_is_left_in_our_document() {
        fn look(value: &Value, path: &str) {
            match value {
                Value::Array(items) => items.iter().for_each(|item| look(item, path)),
                Value::Object(object) => {
                    for (key, value) in object {
                        let at = format!("{path}/{key}");
                        assert!(!matches!(value, Value::Array(_)) || key != "type", "{at}");
                        assert!(key != "type" || value != "null", "{at}");
                        assert!(
                            !["const", "propertyNames", "identifier"].contains(&key.as_str())
                                || path.ends_with("/properties"),
                            "{at}"
                        );
                        assert!(key != "$ref" || object.len() == 1, "{at}");
                        if key != "example" {
                            look(value, &at);
                        }
                    }
                }
                _ => {}
            }
        }
        let text = super::super::document_3_0();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["openapi"], "3.0.3");
        assert!(document["info"]["license"]["name"].is_string());
        look(&document, "");
        let newer: Value = serde_json::from_str(&super::super::document()).unwrap();
        let names = |document: &Value| -> Vec<String> {
            document["paths"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names(&document), names(&newer));
        assert!(names(&document).len() > 10);
    }
}
