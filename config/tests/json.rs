//! Our JSON reader, compared with serde_json.

use proptest::prelude::*;
use serde_json::Value as Json;

use crate::json::parse;
use crate::tree::{Field, Value};

fn is_same(ours: &Value, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Value::Text(ours), Json::String(theirs)) => ours == theirs,
        (Value::Integer(ours), Json::Number(theirs)) => *ours == theirs.to_string(),
        (Value::Other("a float"), Json::Number(theirs)) => theirs.is_f64(),
        (Value::Boolean(ours), Json::Bool(theirs)) => ours == theirs,
        (Value::Other("null"), Json::Null) => true,
        (Value::Other("an array"), Json::Array(_)) => true,
        (Value::Table(ours), Json::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|field| theirs.get(&field.name).is_some_and(|v| is_same(&field.value, v)))
        }
        _ => false,
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Wraps `value` in an object, as only objects are read.
fn document(value: Json) -> Json {
    serde_json::json!({ "top": value })
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(value in any_json()) {
        let document = document(value);
        for text in [document.to_string(), serde_json::to_string_pretty(&document).expect("text")] {
            let ours = parse(&text).map(Value::Table);
            prop_assert!(ours.as_ref().is_ok_and(|ours| is_same(ours, &document)), "{text}: {ours:?}");
        }
    }

    #[test]
    fn refuses_what_serde_json_refuses(text in r#"\{[ -~\n]{0,30}\}"#) {
        prop_assert_eq!(parse(&text).is_ok(), accepts_as_object(&text), "{}", text);
    }

    #[test]
    fn refuses_the_same_pieces(pieces in prop::collection::vec(piece(), 0..12)) {
        let text = format!("{{\"a\":{}}}", pieces.concat());
        prop_assert_eq!(parse(&text).is_ok(), accepts_as_object(&text), "{}", text);
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in any::<String>()) {
        let _ = parse(&text);
    }
}

/// Pieces that make nearly correct JSON.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"b\":",
        "\"x\"",
        "0",
        "-",
        "12",
        ".5",
        "e1",
        "E-2",
        "true",
        "null",
        " ",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\q\"",
        "\"",
    ])
}

fn accepts_as_object(text: &str) -> bool {
    // serde_json lets the last of two equal names win; such texts are not compared.
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(_)) => !parse(text).is_err_and(|error| error.reason.contains("a second time")),
        // A number out of the range of a double is only refused by those who convert it.
        Err(error) if error.to_string().starts_with("number out of range") => parse(text).is_ok(),
        _ => false,
    }
}

#[test]
fn knows_the_lines() {
    let fields = parse("{\n  \"a\":\n 1,\r\n\"b\": {\n\n\"c\": \"x\"}}").expect("JSON");
    let lines = |fields: &[Field]| fields.iter().map(|f| (f.name.clone(), f.line)).collect::<Vec<_>>();
    assert_eq!(lines(&fields), [("a".to_owned(), 2), ("b".to_owned(), 4)]);
    let Value::Table(inner) = &fields[1].value else { panic!("a table") };
    assert_eq!(lines(inner), [("c".to_owned(), 6)]);
}

#[test]
fn errors_name_the_line() {
    let deep = format!("{{\"a\":\n{}1{}}}", "[".repeat(100), "]".repeat(100));
    let rows = [
        ("", 1, "a value is missing here"),
        ("[]", 1, "a JSON configuration is one object, `{ … }`"),
        ("{}\n\n{}", 3, "unexpected text after the end of the object"),
        ("{\n\"a\": 1,\n}", 3, "a name in double quotes is missing here"),
        ("{\n\"a\": 1,\n\"a\": 2}", 3, "`a` stands here a second time"),
        ("{\n\"a\" 1}", 2, "`:` is missing after a name"),
        ("{\n\"a\": \"x\n\"}", 2, "a control character stands in a string"),
        ("{\"a\": [1\n2]}", 2, "`,` or `]` is missing here"),
        ("{\"a\": 01}", 1, "`,` or `}` is missing here"),
        ("{\"a\": \"", 1, "a string has no end"),
        (&deep, 2, "values are nested too deeply"),
    ];
    for (text, line, reason) in rows {
        let error = parse(text).expect_err(text);
        assert_eq!((error.line, error.reason.as_str()), (line, reason), "{text}");
    }
}
