// A session with a store: publishing while nobody listens, a look into the store, the next session.
// Arguments: an address where nobody listens, the addresses of two brokers, the store's directory.
#include "check.hpp"

#include <fstream>
#include <stdexcept>

using namespace mqttsession;
using namespace std::chrono_literals;

static const char *directory;

static Options durable(const char *address) {
    Options options;
    options.address(address).client_id("restart").clean_session(false).retry_first_connect(true);
    options.store(directory).durability(Durability::message).store_limit(1000, 1 << 20);
    return options;
}

static void publish_offline(const char *nobody) {
    Counter ended;
    {
        const Session session(durable(nobody));
        session.connect(0s);
        const auto number =
            session.publish("restart/one", "one", PublishOptions().qos(QoS::at_least_once),
                            [&](std::uint64_t, const Result<Outcome> &outcome) {
                                CHECK(outcome.status() == MQTT_LEFT_IN_STORE);
                                ended.add();
                            });
        const Operation stored = session.wait_stored_start(number);
        stored.wait(deadline);
        session.wait_stored(session.publish("restart/two", "two", QoS::exactly_once), deadline);
        CHECK(session.wait_stored(std::nothrow, 99, 0s).status() == MQTT_UNKNOWN_MESSAGE);
        CHECK_THROWS(MQTT_UNKNOWN_MESSAGE, session.wait_stored_start(99));
        CHECK(session.statistic(MQTT_STATISTIC_STORE_WRITES) > 0);
        CHECK_THROWS(MQTT_STORE_LOCKED, Session(durable(nobody)));
        CHECK_THROWS(MQTT_STORE_LOCKED, Store(directory, "restart"));
        CHECK(Store::repair(std::nothrow, directory, "restart").status() == MQTT_STORE_LOCKED);
        CHECK_THROWS(MQTT_LEFT_IN_STORE, session.disconnect(0s));
    }
    CHECK(ended.value() == 1);
}

static void look() {
    CHECK(Store::list(directory) == std::vector<std::string>{"restart"});
    CHECK_THROWS(MQTT_STORE_FAILED, Store::list("/dev/null"));
    CHECK(Store::list("/no/such/directory").empty());
    CHECK_THROWS(MQTT_STORE_FAILED, Store(directory, "missing"));
    const Store store(directory, "restart");
    CHECK(store.statistic(MQTT_STORE_STATISTIC_MESSAGES) == 2);
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, store.statistic(0));
    const auto now = std::chrono::system_clock::now();
    CHECK(*store.oldest() > now - 24h && *store.oldest() < now + 24h);
    CHECK(store.subscriptions().empty());

    std::string seen;
    store.messages([&](const StoredMessage &message) {
        CHECK(message.state() == StoredState::waiting && !message.expires() && !message.retain());
        CHECK(message.qos() == (message.number() == 1 ? QoS::at_least_once : QoS::exactly_once));
        CHECK(message.accepted() >= *store.oldest() && message.properties().empty());
        seen += std::string(message.topic()) + "=" + std::string(message.payload()) + ";";
    });
    CHECK(seen == "restart/one=one;restart/two=two;");
    int shown = 0;
    store.messages([&](const StoredMessage &) { return ++shown < 1; });
    CHECK(shown == 1);
    // What a handler throws comes out where the messages were asked for.
    try {
        store.messages([](const StoredMessage &) { throw std::runtime_error("enough"); });
        CHECK(!"thrown");
    } catch (const std::runtime_error &thrown) {
        CHECK(thrown.what() == std::string("enough"));
    }

    const std::string file = std::string(directory) + ".jsonl";
    std::remove(file.c_str());
    CHECK(store.export_to(file) == 2);
    CHECK(store.export_to(std::nothrow, file).status() == MQTT_STORE_FAILED);
    std::string line;
    CHECK(std::getline(std::ifstream(file), line) && line.find("restart/one") != line.npos);
}

static void deliver(const char *address) {
    Counter restored;
    const Session session(durable(address));
    session.set_event_handler([&](const Event &event) {
        if (event.kind() != EventKind::restored)
            return;
        CHECK(event.messages() == 2 && event.bytes() > 0 && event.in_flight() == 0);
        CHECK(event.interrupted() == 0 && !event.after_power_loss() && !event.error());
        CHECK(event.renewed() == 0 && event.unknown() == 0 && event.forgotten() == 0);
        restored.add();
    });
    session.connect(deadline);
    CHECK(restored.reaches(1));
    CHECK(session.wait(1, deadline).ok() && session.wait(2, deadline).ok());
    session.wait_stored(session.publish("restart/three", "three", QoS::at_least_once), deadline);
    session.disconnect(deadline);
}

static void clear() {
    Store store(directory, "restart");
    CHECK(store.statistic(MQTT_STORE_STATISTIC_MESSAGES) == 0 && !store.oldest());
    store.clear();
    Store moved(std::move(store));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, store.statistic(MQTT_STORE_STATISTIC_MESSAGES));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, store.clear());
    CHECK(moved.statistic(MQTT_STORE_STATISTIC_LAST_NUMBER) >= 3);
}

// The class for legacy callers: its Publish returns when the message is on disk.
static void legacy(const char *nobody, const char *address) {
    Counter published;
    wlanguage::mqttSession session;
    CHECK(session.StoreDirectory(directory) && session.Text("CleanSession") == "false");
    CHECK(session.CleanSession(true) && session.Text("CleanSession") == "true");
    CHECK(session.RepertoireStockage(directory) && session.CleanSession(false));
    CHECK(session.ClientID("legacy") && session.Address(nobody) && !session.Connect());
    // The attempt that failed has let go of the store.
    CHECK(session.Address(address) && session.ConnectionTimeout(30));
    if (!session.Connect())
        check(false, __FILE__, __LINE__, wlanguage::ErrorInfo().c_str());
    CHECK(session.Publish("demo/out", "hello", false, wlanguage::mqttQualityExactlyOnce,
                          [&](auto &, std::int64_t) { published.add(); }) > 0);
    CHECK(session.Disconnect() && published.value() == 1);
}

int main(int count, char **arguments) {
    CHECK(count == 5);
    directory = arguments[4];
    publish_offline(arguments[1]);
    look();
    deliver(arguments[2]);
    clear();
    legacy(arguments[1], arguments[3]);
    check_all_freed();
}
