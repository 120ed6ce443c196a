#!/usr/bin/env python3
"""Reads what a Functions host answers, on standard input. Times are in seconds since 1970.

  host-answer.py process NOW               prints which process has answered, for OLD below
  host-answer.py look NOW OLD FIRST_SEEN   reads three answers, one after the other: of the host, of the function's status and
                                           of the function. Prints what is wrong, if anything is: whether all are well,
                                           and the host is another process than OLD, and has not restarted since
                                           FIRST_SEEN. Both may be empty.
"""

import json
import sys

# The longest delay of an answer, in seconds: a process's start is known no more exactly.
SLACK = 5


def main():
    answers = list(documents(sys.stdin.read()))
    match sys.argv[1:]:
        case "process", now:
            print(json.dumps(process(answers[0], now)))
        case "look", now, old, first_seen:
            print(problem(answers, now, old, first_seen))


def documents(text):
    """Consecutive JSON documents."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        yield document


def problem(answers, now, old, first_seen):
    host, status, function = answers
    return (
        errors(host)
        or state(host)
        or restart(process(host, now), old, first_seen)
        or errors(status)
        or ("it is disabled" if function.get("isDisabled") else "")
    )


def errors(answer):
    return "; ".join(str(error) for error in answer.get("errors") or [])


def state(answer):
    state = answer.get("state", "in no known state")
    return "" if state == "Running" else f"the host is {state}"


def process(answer, now):
    """The instance, and when the host's process there was started, as far as the answer says."""
    uptime = answer.get("processUptime")
    return answer.get("instanceId"), None if uptime is None else float(now) - uptime / 1000


def restart(answering, old, first_seen):
    instance, started = answering
    if started is None:
        return ""
    old_instance, old_start = json.loads(old or "[null, null]")
    if old_start is not None and instance == old_instance and abs(started - old_start) <= SLACK:
        return "the host has not restarted yet"
    # With two instances either may answer, but one that is younger than the first check has crashed.
    if first_seen and started > float(first_seen) + SLACK:
        return "the host has restarted"
    return ""


if __name__ == "__main__":
    main()
