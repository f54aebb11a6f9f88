//! Handlers: called one at a time, in order, and what has to be written round each call.

use mqttsession::{
    engine::Receipt,
    error::{Code, Error},
    protocol::{PropertyBlock, ReasonCode},
};

use super::{Home, Item, Process, is_later, on_receipt};
use crate::{scene::Scene, tally::Happening};

impl Process {
    /// The handler that runs returns, or the next one is called.
    pub(crate) fn handle_next(&mut self, home: &mut Home, scene: &mut Scene) {
        if let Some(item) = self.running.take() {
            return self.finish(item, home, scene);
        }
        if let Some(item) = self.inbox.pop_front() {
            self.begin(item, home, scene);
        }
    }

    fn begin(&mut self, mut item: Item, home: &mut Home, scene: &mut Scene) {
        let mut batch = 0;
        if item.qos == 2 {
            let life = scene.book.owners[home.index].fate.lives;
            let begun = item.receipt.and_then(|receipt| self.engine.begin_handling(receipt));
            let Some(begun) = begun else {
                return scene.tell(&home.name, || format!("passes over copy {}", item.copy));
            };
            scene.book.copies[item.copy].begun.get_or_insert(life);
            batch = begun;
        }
        let written = self.write_through(batch, home, scene);
        if home.files.is_dead() {
            return;
        }
        if !written {
            return self.put_off(item, home, scene);
        }
        scene.tell(&home.name, || {
            let again = if item.redelivered { ", redelivered" } else { "" };
            format!("begins to handle copy {}{again}", item.copy)
        });
        if item.redelivered {
            scene.tally.count(Happening::Redelivered);
        }
        if let Some(receipt) = item.receipt.filter(|_| item.qos == 2 && on_receipt(home)) {
            self.engine.acknowledge(receipt, ReasonCode::Success);
            item.receipt = None;
            self.collect(home, scene);
        }
        scene.book.start(item.copy, item.redelivered);
        self.running = Some(item);
    }

    /// What cannot be noted is not handled: the broker sends it again on the next connection.
    fn put_off(&mut self, item: Item, home: &mut Home, scene: &mut Scene) {
        scene.tell(&home.name, || format!("puts off copy {}", item.copy));
        scene.tally.count(Happening::HandlerRefused);
        if let Some(receipt) = item.receipt {
            self.engine.abandon(receipt);
        }
        self.engine
            .disconnect(ReasonCode::UnspecifiedError, mqttsession::protocol::Properties::EMPTY);
        self.lose(Some(&Error::from(Code::StoreFailed)), home, scene);
    }

    fn finish(&mut self, item: Item, home: &mut Home, scene: &mut Scene) {
        scene.tell(&home.name, || format!("has handled copy {}", item.copy));
        scene.tally.count(Happening::Handled);
        scene.book.copies[item.copy].finished += 1;
        match item.receipt {
            None => {}
            Some(_) if is_later(home) => self.held.push(item),
            Some(receipt) => self.acknowledge(&item, receipt, home, scene),
        }
    }

    /// Acknowledges, and writes that before anything else is handled.
    fn acknowledge(&mut self, item: &Item, receipt: Receipt, home: &mut Home, scene: &mut Scene) {
        let v5 = home.plan.settings.version.is_v5();
        if v5 && scene.random.one_in(20) {
            scene.tell(&home.name, || format!("refuses copy {}", item.copy));
            let refused =
                self.engine.refuse(receipt, ReasonCode::QuotaExceeded, PropertyBlock::new());
            scene.book.copies[item.copy].refused |= refused;
        } else {
            self.engine.acknowledge(receipt, ReasonCode::Success);
        }
        if item.qos == 2 {
            let batch = self.engine.newest_batch();
            self.write_through(batch, home, scene);
        }
        self.collect(home, scene);
    }

    /// The program acknowledges one of the messages that it has handled.
    pub(crate) fn acknowledge_later(&mut self, home: &mut Home, scene: &mut Scene) {
        if self.held.is_empty() {
            return;
        }
        let at = scene.random.below(self.held.len() as u64) as usize;
        let item = self.held.remove(at);
        if let Some(receipt) = item.receipt {
            self.acknowledge(&item, receipt, home, scene);
        }
    }
}
