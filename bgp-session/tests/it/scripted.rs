//! A router played by the test, message by message.

use bgp_core::wire::{
    Capability, Frame, Message, MessageLimit, Notification, Open, WireContext, encode_keepalive,
};
use bgp_session::{AfiSafi, Asn, BgpIdentifier};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::world::ROUTER;

/// One end of a pipe and what was read from it.
pub(crate) struct Scripted {
    stream: DuplexStream,
    buffer: BytesMut,
}

/// A message of the node.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Open {
        hold_time: u16,
    },
    Keepalive,
    Update,
    Notification(Notification),
    Other,
    /// The connection's end.
    End,
}

impl Scripted {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.take_message() {
                return heard;
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return Heard::End;
            }
        }
    }

    /// Waits for the next message other than an UPDATE.
    pub(crate) async fn hear_control(&mut self) -> Heard {
        loop {
            match self.hear().await {
                Heard::Update => {}
                heard => return heard,
            }
        }
    }

    fn take_message(&mut self) -> Option<Heard> {
        let frame = Frame::split(&self.buffer, MessageLimit::Standard).unwrap()?;
        let length = frame.as_bytes().len();
        let heard = match Message::decode(frame, WireContext::default()).unwrap() {
            Message::Open(open) => Heard::Open { hold_time: open.hold_time },
            Message::Keepalive => Heard::Keepalive,
            Message::Update(_) => Heard::Update,
            Message::Notification(notification) => Heard::Notification(notification),
            _ => Heard::Other,
        };
        self.buffer.advance(length);
        Some(heard)
    }

    async fn say_open(&mut self, asn: Asn, hold_time: u16) {
        let capabilities =
            vec![Capability::Multiprotocol(AfiSafi::IPV4_UNICAST), Capability::FourOctetAs(asn)];
        let identifier = BgpIdentifier::new(172, 22, 35, 99);
        let mut octets = BytesMut::new();
        Open::new(asn, hold_time, identifier, capabilities).encode(&mut octets);
        self.stream.write_all(&octets).await.unwrap();
    }

    /// Sends any octets. Returns true if the node still accepted them.
    pub(crate) async fn say(&mut self, octets: &[u8]) -> bool {
        self.stream.write_all(octets).await.is_ok()
    }

    pub(crate) async fn say_keepalive(&mut self) {
        let mut octets = BytesMut::new();
        encode_keepalive(&mut octets);
        self.stream.write_all(&octets).await.unwrap();
    }

    /// Brings the session up.
    pub(crate) async fn shake_hands(&mut self, hold_time: u16) {
        self.shake_hands_as(ROUTER, hold_time).await;
    }

    /// Brings the session up, as a speaker of this AS.
    pub(crate) async fn shake_hands_as(&mut self, asn: Asn, hold_time: u16) {
        assert!(matches!(self.hear().await, Heard::Open { .. }));
        self.answer(asn, hold_time).await;
    }

    /// Brings the session up after the node's OPEN.
    pub(crate) async fn answer(&mut self, asn: Asn, hold_time: u16) {
        self.say_open(asn, hold_time).await;
        assert_eq!(self.hear().await, Heard::Keepalive);
        self.say_keepalive().await;
    }
}
