//! The page on the log lists every event that the sources log at INFO and above, with its levels and fields, and has an example of
//! each.

use std::collections::{BTreeMap, BTreeSet};

use aci_scaler::pass::report::TroubleKind;
use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;
use strum::VariantNames as _;

use crate::document;
use crate::sources::Sources;
use crate::table::{Table, code};

/// The row for all troubles, whose names a table of their own has.
const TROUBLES: &str = "each trouble";

/// What is known of an event: its levels, and its fields besides `event` and `message`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
}

#[test]
fn the_page_on_the_log_lists_every_event_with_its_levels_and_fields_and_no_other() {
    let (logged, listed) = (logged(), listed());
    assert!(logged.len() > 20, "{logged:?}");
    let names = |events: &BTreeMap<String, Event>| events.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&listed), names(&logged), "listed and logged");
    for (name, event) in logged {
        assert_eq!(listed[&name], event, "{name}: listed and logged");
    }
}

#[test]
fn the_page_on_the_log_explains_every_trouble_and_no_other() {
    let table = Table::headed(&document("logging.md"), "trouble");
    let listed: BTreeSet<_> = table.rows.iter().flat_map(|row| code(&row[0])).collect();
    assert_eq!(listed, TroubleKind::VARIANTS.iter().copied().collect());
}

/// Without this, whoever reads a log in text does not find the trouble in the page.
#[test]
fn the_page_on_the_log_has_the_sentence_of_every_trouble() {
    let sources = Sources::read();
    let source: String = sources.named("troubles.rs").collect();
    let source = source.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
    let table = Table::headed(&document("logging.md"), "trouble");
    for row in &table.rows {
        let sentence = row[3].trim_start_matches("… ");
        assert!(sentence.len() > 10 && source.contains(&format!("\"{sentence}")), "{}: {sentence:?}", row[0]);
    }
}

#[test]
fn the_page_on_the_log_has_an_example_of_every_event_with_no_field_that_it_has_not() {
    let page = document("logging.md");
    let examples = page.lines().filter(|line| line.starts_with("    {\"timestamp\""));
    let mut seen = BTreeSet::new();
    let listed = listed();
    for example in examples {
        let line: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        let name = line["fields"]["event"].as_str().expect(example);
        let key = if TroubleKind::VARIANTS.contains(&name) { TROUBLES } else { name };
        let event = listed.get(key).unwrap_or_else(|| panic!("{name} is no event"));
        let fields = line["fields"].as_object().expect(example).keys();
        let fields: BTreeSet<_> = fields.filter(|field| !["event", "message"].contains(&field.as_str())).collect();
        assert!(fields.iter().all(|field| event.fields.contains(*field)), "{name}: {fields:?} of {:?}", event.fields);
        assert!(event.levels.contains(line["level"].as_str().expect(example)), "{example}");
        seen.insert(key.to_owned());
    }
    let missing: Vec<_> = listed.keys().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "no example of {missing:?}");
}

/// The events of the page.
fn listed() -> BTreeMap<String, Event> {
    let table = Table::headed(&document("logging.md"), "event");
    let event = |row: &Vec<String>| {
        let name = code(&row[0]).next().unwrap_or(&row[0]).to_owned();
        let names = |cell: &str| code(cell).map(str::to_owned).collect();
        let levels = row[1].split(", ").map(str::to_owned).collect();
        (name, Event { levels, fields: names(&row[2]) })
    };
    table.rows.iter().map(event).collect()
}

/// The events of the sources.
fn logged() -> BTreeMap<String, Event> {
    let mut events: BTreeMap<String, Event> = BTreeMap::new();
    for (path, source) in Sources::read().of_the_program() {
        let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        for (level, arguments) in calls(tokens) {
            let (name, fields) =
                read(&arguments).unwrap_or_else(|| panic!("{path}: an event has no name: {arguments}"));
            let event = events.entry(name).or_default();
            event.levels.insert(level);
            event.fields.extend(fields);
        }
    }
    events
}

/// The level and the arguments of each macro that logs at INFO or above, code for tests and for the fuzzer aside.
fn calls(tokens: TokenStream) -> Vec<(String, TokenStream)> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let (mut calls, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        match &tokens[at..] {
            [TokenTree::Punct(hash), TokenTree::Group(attribute), ..]
                if hash.as_char() == '#'
                    && ["cfg(test)", "cfg(fuzzing)"]
                        .contains(&attribute.stream().to_string().replace(' ', "").as_str()) =>
            {
                let body = |token: &TokenTree| match token {
                    TokenTree::Group(group) => group.delimiter() == proc_macro2::Delimiter::Brace,
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    _ => false,
                };
                at += 2 + tokens[at + 2..].iter().position(body).unwrap_or_default();
            }
            [TokenTree::Ident(level), TokenTree::Punct(bang), TokenTree::Group(arguments), ..]
                if bang.as_char() == '!' && ["info", "warn", "error"].contains(&level.to_string().as_str()) =>
            {
                calls.push((level.to_string().to_uppercase(), arguments.stream()));
                at += 2;
            }
            [TokenTree::Group(group), ..] => calls.append(&mut self::calls(group.stream())),
            _ => {}
        }
        at += 1;
    }
    calls
}

/// The name and the fields in a macro's arguments.
fn read(arguments: &TokenStream) -> Option<(String, BTreeSet<String>)> {
    let (mut name, mut fields) = (None, BTreeSet::new());
    let mut argument: Vec<TokenTree> = Vec::new();
    let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let tokens: Vec<_> = arguments.clone().into_iter().collect();
    for token in
        tokens.iter().cloned().chain([TokenTree::Punct(proc_macro2::Punct::new(',', proc_macro2::Spacing::Alone))])
    {
        if !comma(&token) {
            argument.push(token);
            continue;
        }
        match std::mem::take(&mut argument).as_slice() {
            // The sentence, after which there are only its own arguments.
            [TokenTree::Literal(_), ..] => break,
            [TokenTree::Ident(field), TokenTree::Punct(equals), value @ ..] if equals.as_char() == '=' => {
                if field != "event" {
                    fields.insert(field.to_string());
                } else if let [TokenTree::Literal(literal)] = value {
                    name = Some(literal.to_string().trim_matches('"').to_owned());
                } else {
                    name = Some(TROUBLES.to_owned());
                }
            }
            [.., TokenTree::Ident(field)] => drop(fields.insert(field.to_string())),
            _ => {}
        }
    }
    Some((name?, fields))
}

#[test]
fn an_event_is_read_with_its_level_and_its_fields() {
    let source = r#"
        fn log() { tracing::warn!(event = "odd", group = %name(a, b), %error, count, "{} of {}", of, all); }
        #[cfg(test)]
        mod tests { fn log() { info!("no event"); } }
        fn other() { let x = error!(event = kind.name(), "a trouble"); }
    "#;
    let found: Vec<_> =
        calls(source.parse().unwrap()).iter().map(|(level, call)| (level.clone(), read(call))).collect();
    let fields = ["count", "error", "group"].map(str::to_owned).into();
    let expected = [
        ("WARN".to_owned(), Some(("odd".to_owned(), fields))),
        ("ERROR".to_owned(), Some((TROUBLES.to_owned(), BTreeSet::new()))),
    ];
    assert_eq!(found, expected);
}
