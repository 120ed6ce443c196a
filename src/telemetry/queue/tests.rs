use std::fs::OpenOptions;
use std::io::{PipeReader, Read, pipe};

use super::*;

/// More than a pipe holds (64 KiB).
const FULL: usize = 1 << 17;

/// More lines than that.
const MANY: usize = 30_000;

fn missing(lines: usize) -> Vec<u8> {
    format!("{lines} are missing\n").into_bytes()
}

fn line(number: usize) -> String {
    format!("line {number}\n")
}

/// A queue before a pipe, and the pipe's other end.
fn piped() -> (Queue, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    (Queue::before(writer, FULL, missing).unwrap(), reader)
}

fn push(queue: &Queue, numbers: impl Iterator<Item = usize>) {
    for number in numbers {
        queue.push(line(number).as_bytes());
    }
}

/// Waits until all that was pushed is in the writer's hands.
fn until_taken(queue: &Queue) {
    while !queue.0.state.lock().waiting.is_empty() {
        thread::yield_now();
    }
}

/// Has the writer wait for the reader, with a line that is longer than a pipe.
fn block(queue: &Queue) -> String {
    let long = format!("{}\n", "x".repeat(FULL - 1));
    queue.push(long.as_bytes());
    until_taken(queue);
    long
}

/// Reads the next lines: how many there are in the order of their numbers from `first` on, those that are missing included.
fn read_from(text: &str, first: usize) -> usize {
    let mut next = first;
    for read in text.lines() {
        if let Some(count) = read.strip_suffix(" are missing") {
            next += count.parse::<usize>().unwrap();
        } else {
            assert_eq!(format!("{read}\n"), line(next));
            next += 1;
        }
    }
    next - first
}

#[test]
fn nobody_waits_for_a_reader_that_has_stopped_and_what_is_dropped_is_counted_where_it_would_stand() {
    let (queue, mut reader) = piped();
    let long = block(&queue);
    push(&queue, 0..MANY);
    // It reads again.
    let text = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    until_taken(&queue);
    push(&queue, MANY..MANY + 2);
    drop(LastLines(vec![queue]));
    let text = text.join().unwrap();
    let text = text.strip_prefix(&long).unwrap();
    assert_eq!(read_from(text, 0), MANY + 2);
    assert_eq!(text.matches("missing").count(), 1);
    assert!(text.ends_with(&format!(" are missing\n{}{}", line(MANY), line(MANY + 1))), "{text}");
}

#[test]
fn what_is_missing_is_said_as_soon_as_there_is_room_and_not_with_the_next_line() {
    let (queue, mut reader) = piped();
    let long = block(&queue);
    push(&queue, 0..MANY);
    let mut text = String::new();
    while !text.ends_with(" are missing\n") {
        let mut part = [0; 1024];
        let count = reader.read(&mut part).unwrap();
        text.push_str(str::from_utf8(&part[..count]).unwrap());
    }
    assert_eq!(read_from(text.strip_prefix(&long).unwrap(), 0), MANY);
}

#[test]
fn nobody_waits_for_a_stream_that_is_closed_or_on_a_full_disk() {
    let (queue, reader) = piped();
    drop(reader);
    let disk = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let full = Queue::before(disk, FULL, missing).unwrap();
    push(&queue, 0..MANY);
    push(&full, 0..MANY);
    let start = Instant::now();
    drop(LastLines(vec![queue.clone(), full.clone()]));
    assert!(start.elapsed() < LAST_WAIT, "{:?}", start.elapsed());
    assert!([queue, full].iter().all(|queue| queue.0.state.lock().ended));
}

#[test]
fn the_end_waits_for_what_is_queued_and_for_a_second_at_most() {
    let (queue, mut reader) = piped();
    push(&queue, 0..3);
    drop(LastLines(vec![queue]));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(read_from(&text, 0), 3);

    let (stuck, _reader) = piped();
    block(&stuck);
    let start = Instant::now();
    drop(LastLines(vec![stuck.clone(), stuck]));
    assert!((LAST_WAIT..LAST_WAIT * 3).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn who_waits_for_a_line_goes_on_when_the_stream_has_it_and_does_not_wait_twice_for_one_that_is_stuck() {
    let (queue, mut reader) = piped();
    for number in 0..1000 {
        push(&queue, number..=number);
        queue.settle().await;
        let mut read = vec![0; line(number).len()];
        assert_eq!(reader.read(&mut read).unwrap(), read.len(), "it is there at once");
        assert_eq!(read, line(number).as_bytes());
    }
    let long = block(&queue);
    let start = Instant::now();
    queue.settle().await;
    assert!(start.elapsed() >= SETTLE_LIMIT, "{:?}", start.elapsed());
    let start = Instant::now();
    for _ in 0..1000 {
        queue.settle().await;
    }
    assert!(start.elapsed() < SETTLE_LIMIT, "{:?}", start.elapsed());

    reader.read_exact(&mut vec![0; long.len()]).unwrap();
    while queue.0.state.lock().stuck {
        thread::yield_now();
    }
    push(&queue, 0..1);
    queue.settle().await;
    assert_eq!(*queue.0.done.borrow(), 1002);
}

/// A disk that has room for so many bytes, until it has more.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (written, room) = &mut *self.0.lock();
        let count = bytes.len().min(*room);
        written.extend_from_slice(&bytes[..count]);
        *room -= count;
        if count == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_did_not_fit_whole_is_missing_and_the_next_is_on_its_own_line() {
    let disk = Disk::default();
    let mut writer = Writer { stream: disk.clone(), missing, lost: 0, within_a_line: false };
    let mut pass_on = |room: usize, numbers: std::ops::Range<usize>, dropped| {
        disk.0.lock().1 = room;
        writer.pass_on(&Batch { lines: numbers.map(line).collect::<String>().into_bytes(), dropped, count: 1 });
    };
    pass_on(10, 0..3, 0);
    pass_on(0, 3..4, 2);
    pass_on(5, 6..7, 0);
    pass_on(1000, 7..8, 0);
    pass_on(1000, 8..9, 1);
    let text = String::from_utf8(disk.0.lock().0.clone()).unwrap();
    assert_eq!(text, "line 0\nlin\n5 ar\n6 are missing\nline 7\nline 8\n1 are missing\n");
}
