//! The window, without an API server.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Responds to as many writes as the window allows, each after this time. Returns the time after the last.
fn round(window: &mut WriteWindow, took: Duration, at: Instant) -> Instant {
    let begin = window.next().max(at);
    let writes = (0..).take_while(|under_way| window.has_room(*under_way)).count();
    for _ in 0..writes {
        window.begin(begin);
        window.end(begin, false, begin + took);
    }
    begin + took
}

#[tokio::test(start_paused = true)]
async fn a_window_doubles_up_to_its_limit_while_responses_are_fast() {
    let mut window = WriteWindow::new(8, Duration::ZERO);
    let mut at = Instant::now();
    for size in [1, 2, 4, 8, 8] {
        assert_eq!(window.size, size);
        at = round(&mut window, 5 * MS, at);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_responses_of_one_round_halve_the_window_once() {
    let mut window = WriteWindow::new(8, Duration::ZERO);
    let mut at = Instant::now();
    for _ in 0..4 {
        at = round(&mut window, 5 * MS, at);
    }
    for size in [4, 2, 1, 1] {
        let begin = at;
        at = round(&mut window, SLOW, begin);
        assert_eq!(window.size, size);
        // As long as the response took.
        assert_eq!(window.next(), at + SLOW);
        at = window.next();
    }
    // Then it opens by one write with each round.
    for size in [2, 3, 4, 5] {
        at = round(&mut window, 5 * MS, at);
        assert_eq!(window.size, size);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_narrows_the_window_and_the_wait_has_a_bound() {
    let mut window = WriteWindow::new(8, Duration::ZERO);
    let at = round(&mut window, 5 * MS, Instant::now());
    assert_eq!(window.size, 2);
    window.begin(at);
    window.end(at, true, at + 10 * SLOW);
    assert_eq!(window.size, 1);
    assert_eq!(window.next(), at + 10 * SLOW + LONGEST_WAIT);
}

#[tokio::test(start_paused = true)]
async fn writes_begin_at_most_as_often_as_the_spacing_allows() {
    let mut window = WriteWindow::new(8, 5 * MS);
    let at = Instant::now();
    window.begin(at);
    assert_eq!(window.next(), at + 5 * MS);
}
