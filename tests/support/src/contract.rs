//! Holds what was said to Azure Resource Manager, and what it said, against its published contract.
//!
//! `ACI_SCALER_SPECS` says where its documents are: a folder laid out as Azure's repository of specifications.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use local_azure::resource_manager::Call;
use serde_json::{Value, json};

use crate::programs::{SCHEMA_VALIDATOR, python, variable};

/// Panics with all that is wrong about some calls.
pub fn assert_followed(calls: &[Call]) {
    let complaints = complaints(calls).unwrap_or_default();
    assert!(complaints.is_empty(), "the contract is broken:\n{}", complaints.join("\n"));
}

/// All that is wrong about some calls, or nothing if that cannot be told here.
pub fn complaints(calls: &[Call]) -> Option<Vec<String>> {
    let mut validator = VALIDATOR.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    Some(calls.iter().flat_map(|call| validator.complaints(call)).collect())
}

/// One for all tests of a program: it takes longer to start than to check.
static VALIDATOR: LazyLock<Option<Mutex<Validator>>> = LazyLock::new(|| Validator::start().map(Mutex::new));

struct Validator {
    _process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Validator {
    #[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
    fn start() -> Option<Self> {
        let Some(folder) = variable("ACI_SCALER_SPECS") else {
            eprintln!("skipped: ACI_SCALER_SPECS does not say where the OpenAPI documents are");
            return None;
        };
        let mut command = Command::new(python(&[SCHEMA_VALIDATOR])?);
        command.args(["-c", include_str!("contract.py"), &folder]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python was found");
        let questions = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Some(Self { _process: process, questions, answers })
    }

    fn complaints(&mut self, call: &Call) -> Vec<String> {
        let (Some(status), Some(answer)) = (call.status, &call.answer) else { return Vec::new() };
        let exchange = json!({
            "method": call.method.as_str(),
            "uri": call.uri,
            "request": String::from_utf8_lossy(&call.body),
            "status": status,
            "answer": String::from_utf8_lossy(answer),
        });
        writeln!(self.questions, "{exchange}").expect("the validator listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the validator answers");
        let complaints: Vec<Value> = serde_json::from_str(&line).expect("the validator answers in JSON");
        let about = |complaint: &Value| format!("{} {}: {complaint}", call.method, call.uri);
        complaints.iter().map(about).collect()
    }
}
