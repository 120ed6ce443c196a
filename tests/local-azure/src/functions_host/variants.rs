//! Every form in which hosts have sent, or may send, an invocation.

use serde_json::{Value, json};

use super::{Framing, Invocation};

/// An ordinary tick of the scaler's timer.
pub fn tick() -> Invocation {
    timer(&status("2026-09-24T13:08:00.0096035+00:00", "2026-09-24T13:09:00+00:00"), false)
}

/// Each with what is special about it.
pub fn variants() -> Vec<(&'static str, Invocation)> {
    let mut variants = vec![
        ("a first run", timer(&status("0001-01-01T00:00:00", "2026-09-24T13:09:00+00:00"), false)),
        ("year 1 with an offset", timer(&status("0001-01-01T00:00:00+00:00", "2026-09-24T13:09:00+00:00"), false)),
        ("year 1 wherever it can be", timer(&status("0001-01-01T00:00:00", "0001-01-01T00:00:00"), true)),
        ("seven digits", timer(&status("2026-09-24T13:08:00.0096035+00:00", "2026-09-24T13:09:00+00:00"), false)),
        ("three digits", timer(&status("2026-09-24T13:08:00.009+00:00", "2026-09-24T13:09:00+00:00"), false)),
        ("no digits", timer(&status("2026-09-24T13:08:00+00:00", "2026-09-24T13:09:00+00:00"), false)),
        ("no monitor", timer(&Value::Null, false)),
        ("past due", timer(&status("2026-09-24T12:08:00+00:00", "2026-09-24T12:09:00+00:00"), true)),
    ];
    let mut change = |name, change: fn(&mut Invocation)| {
        let mut invocation = tick();
        change(&mut invocation);
        variants.push((name, invocation));
    };
    change("an ordinary tick", |_| {});
    change("no traceparent", |tick| tick.traceparent = None);
    change("a traceparent that is sampled", |tick| {
        tick.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    });
    change("a traceparent that is none", |tick| tick.traceparent = Some("nonsense".to_owned()));
    change("a retry", |tick| {
        tick.body["Metadata"]["RetryContext"] =
            json!({ "RetryCount": 1, "MaxRetryCount": 2, "Exception": null, "Instance": null, "State": null });
    });
    change("an input from the admin endpoint", |tick| tick.body["Metadata"]["timer"] = json!("\"now\""));
    change("members that nobody knows", |tick| {
        tick.body["New"] = json!([1, { "two": 3 }]);
        tick.body["Data"]["timer"]["New"] = json!(null);
        tick.body["Data"]["timer"]["ScheduleStatus"]["New"] = json!("later");
    });
    change("another binding name", |tick| {
        let timer = tick.body["Data"]["timer"].take();
        tick.body["Data"] = json!({ "myTimer": timer });
    });
    change("a schedule of an interval", |tick| tick.body["Data"]["timer"]["Schedule"]["AdjustForDST"] = json!(false));
    change("no metadata", |tick| tick.body["Metadata"] = Value::Null);
    change("data that is no timer", |tick| tick.body = json!({ "Data": { "timer": "later" } }));
    change("null", |tick| tick.body = Value::Null);

    let sized = variants
        .clone()
        .into_iter()
        .map(|(name, invocation)| (name, Invocation { framing: Framing::Sized, ..invocation }));
    variants.extend(sized.collect::<Vec<_>>());
    variants
}

fn status(last: &str, next: &str) -> Value {
    json!({ "Last": last, "Next": next, "LastUpdated": "2024-11-30T14:43:50.403838+00:00" })
}

/// A tick of the scaler's timer with this status.
pub fn timer(status: &Value, is_past_due: bool) -> Invocation {
    let timer = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": status, "IsPastDue": is_past_due });
    Invocation::of_timer("ScaleTimer", "timer", &timer, "2026-09-24T13:09:00.0123456Z")
}
