//! The order of a deadline and of what the peer has sent before it.

use std::sync::Arc;

use bgp_core::{
    Asn, BgpIdentifier,
    fsm::StateKind,
    peer::{Endpoints, Import},
};
use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex, split},
    sync::{broadcast, mpsc, oneshot, watch},
};

use super::*;
use crate::{
    DrainStage, PeerConfig, TcpConnector,
    bfd::Bfd,
    clock,
    monitoring::PeerMonitor,
    registry::Registry,
    relay::Relays,
    table::Table,
    task::{BfdMonitor, Inputs, Reports, connection::Connection, first_status},
    watched::Watchable,
};

/// A task with one incoming connection, and the peer's end of that.
pub(in crate::task) fn task() -> (PeerTask, DuplexStream) {
    let router: std::net::IpAddr = "192.0.2.1".parse().unwrap();
    let config = PeerConfig::new(router, Asn(64_500)).passive().import(Import::Keep);
    let config = Arc::new(config);
    let speaker = (Asn(64_512), BgpIdentifier::new(192, 0, 2, 7));
    let settings = config.settings(speaker.0, speaker.1, 0);

    let (status, _) = watch::channel(first_status(&config));
    let (events, _) = broadcast::channel(8);
    let monitor = PeerMonitor::new(config.id(), Arc::default());
    let table = Arc::new(Table::new(1, 1));
    let reports = Reports::new(&config, status, events, Arc::clone(&table), monitor);
    let (bfd_status, _) = watch::channel(None);
    let bfd = BfdMonitor::new(Bfd::default(), Arc::new(Registry::default()), bfd_status);
    let inputs = Inputs {
        commands: mpsc::channel(1).1,
        accepted: mpsc::channel(1).1,
        stop: oneshot::channel().1,
        drain: Watchable::new(DrainStage::Normal).watch(),
        vrps: Watchable::default().watch(),
        relays: Arc::new(Relays::new(table)),
    };
    let connector = Arc::new(TcpConnector);
    let mut task = PeerTask::new(config, speaker, settings, connector, inputs, bfd, reports);

    let (ours, theirs) = duplex(1_024);
    let (reader, writer) = split(ours);
    let local = "192.0.2.7:179".parse().unwrap();
    let endpoints = Endpoints { local, remote: (router, 40_000).into() };
    task.peer.start(clock::now());
    task.peer.connected(clock::now(), Direction::Incoming, endpoints).unwrap();
    assert_eq!(task.peer.state(), StateKind::OpenSent);
    let transport = Transport::new(reader, writer, endpoints);
    task.connections.insert(Direction::Incoming, Connection::new(transport));
    (task, theirs)
}

/// Polls the alarm after its deadline has come.
async fn poll_alarm(task: &mut PeerTask) -> Poll<Wake> {
    task.alarm.set(Some(clock::now()));
    tokio::task::yield_now().await;
    poll_fn(|cx| Poll::Ready(task.poll_alarm(cx))).await
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_the_alarm_never_rings() {
    let (mut task, _theirs) = task();
    task.alarm.set(None);
    let polled = poll_fn(|cx| Poll::Ready(task.poll_alarm(cx))).await;
    assert!(polled.is_pending());
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_sent_in_time_is_read_before_the_deadline_counts() {
    let (mut task, mut theirs) = task();
    theirs.write_all(&[0xff; 19]).await.unwrap();

    let first = poll_alarm(&mut task).await;
    assert!(matches!(first, Poll::Ready(Wake::Read(Direction::Incoming, Ok(())))));
    assert_eq!(task.peer.read_buffer(Direction::Incoming).len(), 19);

    // One more message does not put the deadline off again.
    theirs.write_all(&[0xff; 19]).await.unwrap();
    let second = poll_fn(|cx| Poll::Ready(task.poll_alarm(cx))).await;
    assert!(matches!(second, Poll::Ready(Wake::Deadline)));
}

#[tokio::test(start_paused = true)]
async fn a_new_deadline_is_preceded_by_a_read_of_its_own() {
    let (mut task, mut theirs) = task();
    assert!(matches!(poll_alarm(&mut task).await, Poll::Ready(Wake::Deadline)));

    theirs.write_all(&[0xff; 19]).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let next = poll_alarm(&mut task).await;
    assert!(matches!(next, Poll::Ready(Wake::Read(Direction::Incoming, Ok(())))));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_does_not_overtake_messages_that_are_not_handled_yet() {
    let (mut task, theirs) = task();
    drop(theirs);
    task.unread.push(Direction::Incoming);
    assert!(matches!(poll_alarm(&mut task).await, Poll::Ready(Wake::Deadline)));

    task.unread.clear();
    tokio::time::advance(Duration::from_secs(1)).await;
    let next = poll_alarm(&mut task).await;
    assert!(matches!(next, Poll::Ready(Wake::Read(Direction::Incoming, Err(_)))));
}
