//! One run: sessions, their network and the broker, put in order by chance until the faults end; then
//! everything has to come to rest, and every promise to have come true.

use std::time::Duration;

use mqttsession::store::Fault;
use mqttsession_tests::random::Random;

use crate::{
    broker::Broker,
    plan::{Acknowledging, Hazards, Plan},
    process::{Home, Process},
    scene::Scene,
    tally::{Happening, Tally},
};

/// After so many rounds without faults a run that has not come to rest never will.
const ROUNDS: u64 = 1500;

/// What a store may take beside twice its messages and its logs: the base is never smaller than this.
const STORE_SLACK: u64 = 4 << 20;

pub(crate) struct World {
    scene: Scene,
    plan: Plan,
    broker: Broker,
    homes: Vec<Home>,
    processes: Vec<Option<Process>>,
}

/// Plays the run of a seed; what happened in it.
pub(crate) fn play(seed: u64, tells: bool) -> Tally {
    let mut random = Random(seed);
    let plan = Plan::new(&mut random);
    let mut scene = Scene::new(random, plan.sessions.len(), tells);
    scene.tell("plan", || format!("{plan:#?}"));
    let homes: Vec<Home> = plan
        .sessions
        .iter()
        .enumerate()
        .map(|(index, plan)| Home::new(index, plan.clone()))
        .collect();
    for home in &homes {
        let on_receipt = home.plan.acknowledging == Acknowledging::OnReceipt;
        scene.book.owners[home.index].on_receipt = on_receipt;
    }
    let processes = homes.iter().map(|_| None).collect();
    let broker = Broker::new(plan.habits.clone());
    let mut world = World { scene, plan, broker, homes, processes };
    for _ in 0..world.plan.steps {
        world.step();
    }
    world.calm_down();
    world.judge();
    world.scene.tally
}

impl World {
    // ---- while everything may go wrong

    fn step(&mut self) {
        self.scene.clock.pass(Duration::from_millis(self.scene.random.below(200)));
        self.befall_broker();
        let index = self.scene.random.below(self.homes.len() as u64) as usize;
        disturb(&mut self.homes[index], &self.plan.hazards, &mut self.scene);
        let Some(mut process) = self.processes[index].take() else {
            self.begin(index);
            return self.run_broker();
        };
        let Self { scene, homes, plan, .. } = self;
        let home = &mut homes[index];
        if chance(plan.hazards.kill, scene) {
            return process.kill(home, scene);
        }
        if chance(plan.hazards.power, scene) {
            return process.lose_power(home, scene);
        }
        if chance(plan.hazards.close, scene) || process.is_broken() && scene.random.one_in(20) {
            self.processes[index] = process.close(home, scene);
            return self.bury_the_dead(index);
        }
        if chance(plan.hazards.cut, scene)
            && let Some(link) = process.link().filter(|link| scene.links.is_whole(*link))
        {
            scene.tell("network", || format!("cuts connection {link}"));
            scene.tally.count(Happening::CutConnection);
            scene.links.cut(link, &mut scene.random);
        }
        let most = 1 + scene.random.below(60) as usize * scene.random.below(4) as usize;
        match scene.random.below(30) {
            0..5 if scene.random.below(10) < home.plan.publishes => process.publish(home, scene),
            0..9 => drop(process.write_some(most, home, scene)),
            9..14 => process.read(most, home, scene),
            14..17 => drop(process.write_batch(home, scene)),
            17..19 => process.sync(home, scene),
            19..22 => process.tell_stored(home, scene),
            22 => process.tidy(home, scene),
            23..26 => process.handle_next(home, scene),
            26 => process.acknowledge_later(home, scene),
            27 if scene.random.one_in(8) => process.change_mind(home, scene),
            28 if scene.random.one_in(4) => {
                scene.clock.pass(Duration::from_secs(scene.random.below(20)));
                process.look_at_clock(home, scene);
            }
            _ => process.connect(home, scene),
        }
        self.processes[index] = Some(process);
        self.bury_the_dead(index);
        self.run_broker();
    }

    /// Opens the store of a session and begins a process, sooner or later.
    fn begin(&mut self, index: usize) {
        let Self { scene, homes, plan, .. } = self;
        let home = &mut homes[index];
        if chance(plan.hazards.power, scene) {
            home.lose_power(scene);
        }
        if !scene.random.one_in(3) {
            return;
        }
        if chance(plan.hazards.kill_writing / 8, scene) {
            home.files.light(scene.random.below(12), scene.random.below(1001));
        }
        self.processes[index] = home.begin(scene);
    }

    /// A process may have died in the middle of what it did.
    fn bury_the_dead(&mut self, index: usize) {
        if !self.homes[index].files.is_dead() {
            return;
        }
        let Self { scene, homes, plan, .. } = self;
        let Some(process) = self.processes[index].take() else { return };
        scene.tally.count(Happening::KilledWriting);
        // The power may be what killed it.
        match plan.hazards.power > 0 && scene.random.one_in(2) {
            true => process.lose_power(&mut homes[index], scene),
            false => process.kill(&mut homes[index], scene),
        }
    }

    /// The broker reads and says something, on one of its connections.
    fn run_broker(&mut self) {
        let scene = &mut self.scene;
        let links = scene.links.ids();
        if links.is_empty() {
            return;
        }
        for _ in 0..2 {
            let link = links[scene.random.below(links.len() as u64) as usize];
            let most = 1 + scene.random.below(60) as usize * scene.random.below(4) as usize;
            self.broker.read(link, most, scene);
            self.broker.speak(link, scene);
        }
    }

    fn befall_broker(&mut self) {
        let Self { scene, plan, broker, homes, .. } = self;
        if chance(plan.hazards.broker, scene) {
            let keeps = plan.hazards.session == 0 || scene.random.one_in(2);
            broker.restart(keeps, scene);
        }
        if chance(plan.hazards.session, scene) {
            let index = scene.random.below(homes.len() as u64) as usize;
            broker.drop_session(&homes[index].name, scene);
        }
    }

    // ---- when the faults have ended

    fn calm_down(&mut self) {
        self.scene.tell("world", || "calms down");
        for home in &mut self.homes {
            home.simulated.set_fault(None);
            home.fault = false;
            home.files.put_out();
        }
        for round in 0..ROUNDS {
            if self.is_at_rest() {
                self.scene.tell("world", || format!("is at rest after {round} rounds"));
                return;
            }
            self.scene.clock.pass(Duration::from_millis(500));
            for index in 0..self.homes.len() {
                self.live_well(index);
            }
            for link in self.scene.links.ids() {
                self.broker.read(link, usize::MAX, &mut self.scene);
                for _ in 0..4 {
                    self.broker.speak(link, &mut self.scene);
                }
            }
        }
        let stuck = self.processes.iter().flatten().map(Process::describe).collect::<Vec<_>>();
        panic!("does not come to rest: broker idle {}, {stuck:#?}", self.broker.is_idle());
    }

    fn is_at_rest(&self) -> bool {
        let Scene { book, links, .. } = &self.scene;
        let mut all = self.processes.iter().zip(&book.owners);
        self.broker.is_idle()
            && all.all(|(process, owner)| {
                process.as_ref().is_some_and(|process| {
                    process.is_idle(owner.forgiven)
                        && process.link().is_some_and(|link| links.is_whole(link))
                })
            })
    }

    /// Everything that a process can do.
    fn live_well(&mut self, index: usize) {
        let Self { scene, homes, .. } = self;
        let home = &mut homes[index];
        let Some(mut process) = self.processes[index].take() else {
            self.processes[index] = home.begin(scene);
            return;
        };
        if process.is_broken() {
            self.processes[index] = process.close(home, scene);
            return;
        }
        process.connect(home, scene);
        process.look_at_clock(home, scene);
        process.read(usize::MAX, home, scene);
        process.handle_next(home, scene);
        process.handle_next(home, scene);
        process.acknowledge_later(home, scene);
        process.write_batch(home, scene);
        process.sync(home, scene);
        process.tell_stored(home, scene);
        process.tidy(home, scene);
        process.write_all(home, scene);
        self.processes[index] = Some(process);
    }

    /// Every promise has come true.
    fn judge(&mut self) {
        self.scene.book.judge(&self.broker.session_names());
        for (home, process) in self.homes.iter().zip(&self.processes) {
            let process = process.as_ref().expect("everybody is at rest");
            let forgiven = self.scene.book.owners[home.index].forgiven;
            let has = self.broker.subscriptions(&home.name);
            let missing = home.wanted.iter().find(|(filter, qos)| has.get(*filter) != Some(qos));
            assert!(
                forgiven || missing.is_none(),
                "{} has not got {missing:?}, but {has:?}",
                home.name
            );
            let extra = |filter: &&String| {
                !home.wanted.contains_key(*filter) && !home.uncertain.contains(*filter)
            };
            let extra = has.keys().find(extra);
            assert!(forgiven || extra.is_none(), "{} has still got {extra:?}", home.name);
            let stored = home.witness.stored();
            assert!(stored.messages.is_empty(), "{} has messages left: {stored:?}", home.name);
            let most = STORE_SLACK + 2 * home.plan.disk.log_bytes;
            let size = process.store_size();
            assert!(size <= most, "the store of {} takes {size} bytes", home.name);
            self.scene.tally.add(Happening::Folded, home.files.removals());
        }
    }
}

/// Whether what happens once in so many steps happens now; 0 is never.
fn chance(once_in: u64, scene: &mut Scene) -> bool {
    once_in > 0 && scene.random.one_in(once_in)
}

/// What goes wrong with the disk, or gets well again.
fn disturb(home: &mut Home, hazards: &Hazards, scene: &mut Scene) {
    if chance(hazards.kill_writing, scene) {
        home.files.light(scene.random.below(6), scene.random.below(1001));
    }
    if home.fault && scene.random.one_in(25) {
        scene.tell(&home.name, || "has a disk that is well again");
        home.simulated.set_fault(None);
        home.fault = false;
    } else if !home.fault && chance(hazards.disk, scene) {
        let (happening, fault) = match scene.random.below(3) {
            0 => (Happening::DiskFull, Fault::Full(scene.random.below(300))),
            1 => (Happening::DiskReadOnly, Fault::ReadOnly),
            _ => (Happening::SyncFailed, Fault::Sync),
        };
        scene.tell(&home.name, || format!("has a disk with {fault:?}"));
        scene.tally.count(happening);
        home.simulated.set_fault(Some(fault));
        home.fault = true;
        home.cannot_sync |= fault == Fault::Sync;
    }
}
