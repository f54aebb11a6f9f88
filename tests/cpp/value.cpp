// What needs no broker: text, bytes, times, options, properties, errors in both forms, moving.
#include "check.hpp"

#include <array>
#include <cmath>

using namespace mqttsession;
using namespace std::chrono_literals;
using std::string_literals::operator""s;

template <class Owner>
constexpr bool moves_only = !std::is_copy_constructible_v<Owner> &&
                            !std::is_copy_assignable_v<Owner> &&
                            std::is_nothrow_move_constructible_v<Owner> &&
                            std::is_nothrow_move_assignable_v<Owner>;

static_assert(moves_only<Session> && moves_only<Operation> && moves_only<OwnedMessage>);
static_assert(moves_only<Acknowledgement> && moves_only<wlanguage::mqttSession>);
static_assert(moves_only<Connection> && moves_only<OwnedOutcome> && moves_only<Store>);
static_assert(!std::is_copy_constructible_v<StoredMessage>);
static_assert(!std::is_copy_constructible_v<Options> && std::is_move_constructible_v<Options>);
static_assert(!std::is_copy_constructible_v<Message> && !std::is_move_constructible_v<Message>);
static_assert(std::is_nothrow_copy_constructible_v<Error>, "exceptions are copied");

static void text() {
    const char *const literal = "demo/out";
    CHECK(Text(literal).c_str() == literal);
    const std::string string = "demo/out";
    CHECK(Text(string).c_str() == string.c_str());
    const std::string_view view("demo/out", 4);
    CHECK(Text(view).c_str() == "demo"s);
    for (const std::size_t size : {0U, 127U, 128U, 65'535U}) {
        const std::string big(size, 't');
        CHECK(Text(std::string_view(big)).c_str() == big);
    }
    // Cut off unnoticed, these would be allowed.
    CHECK_THROWS(MQTT_INVALID_UTF8, Options().client_id("me\0you"s));
    CHECK_THROWS(MQTT_INVALID_UTF8, Options().client_id(std::string_view("me\0you", 6)));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().host(nullptr));
}

static void bytes() {
    const auto is = [](Bytes bytes, const void *data, std::size_t size) {
        return bytes.data() == data && bytes.size() == size;
    };
    const char *const text = "hello";
    CHECK(is(text, text, 5));
    const std::string string("a\0b", 3);
    CHECK(is(string, string.data(), 3));
    CHECK(is(std::string_view(string), string.data(), 3));
    const std::vector<std::uint8_t> vector{1, 2, 3, 4};
    CHECK(is(vector, vector.data(), 4));
    const std::array<std::byte, 2> array{};
    CHECK(is(array, array.data(), 2));
    const unsigned char raw[] = {1, 0, 3};
    CHECK(is(raw, raw, 3));
    CHECK(is({&array, sizeof array}, &array, 2));
    CHECK(is({}, nullptr, 0));
    CHECK(is(static_cast<const char *>(nullptr), nullptr, 0));
    // Elements that are no bytes would not be those that arrive.
    static_assert(!std::is_constructible_v<Bytes, std::vector<int>>);
    static_assert(!std::is_constructible_v<Bytes, int>);
}

static void time() {
    CHECK(Timeout(0s).milliseconds() == 0);
    CHECK(Timeout(-1s).milliseconds() == 0);
    CHECK(Timeout(1us).milliseconds() == 1);
    CHECK(Timeout(1500us).milliseconds() == 2);
    CHECK(Timeout(2min).milliseconds() == 120'000);
    CHECK(Timeout(std::chrono::duration<double>(0.25)).milliseconds() == 250);
    CHECK(Timeout(std::chrono::duration<double>(std::nan(""))).milliseconds() == 0);
    CHECK(Timeout(forever).milliseconds() == MQTT_FOREVER);
    CHECK(Timeout(std::chrono::hours::max()).milliseconds() == MQTT_FOREVER);
    CHECK(Timeout(std::chrono::hours::min()).milliseconds() == 0);
}

static void errors() {
    try {
        Options().address("mqtt://");
        CHECK(!"refused");
    } catch (const std::runtime_error &caught) {
        const auto &error = dynamic_cast<const Error &>(caught);
        CHECK(error.status() == MQTT_INVALID_ADDRESS);
        CHECK(error.name() == "MQTT_INVALID_ADDRESS"s);
        CHECK(error.what() == std::string(mqtt_last_error_message()));
        CHECK(error.layer() == "caller"s);
        CHECK(!error.reason() && error.reason_string().empty());
        CHECK(error.server_reference().empty() && error.user_properties().empty());
        CHECK(!error.retryable() && !error.ends_session());
        // A copy knows the same, and a later failure does not change it.
        const Error copy = error;
        CHECK_THROWS(MQTT_INVALID_QOS, PublishOptions().qos(static_cast<QoS>(3)));
        CHECK(copy.status() == MQTT_INVALID_ADDRESS && copy.what() == std::string(error.what()));
    }
    // One that is not this thread's last failure has at least its general sentence.
    CHECK(Error(MQTT_CLOSED).what() == std::string(mqtt_status_sentence(MQTT_CLOSED)));
    CHECK(Error(MQTT_CLOSED).ends_session());

    const Result<int> value = 7;
    CHECK(value && value.ok() && value.value() == 7 && value.status() == MQTT_OK);
    const Result<int> failed = Error(MQTT_TIMEOUT);
    CHECK(!failed && failed.status() == MQTT_TIMEOUT);
    CHECK(failed.error().status() == MQTT_TIMEOUT);
    CHECK_THROWS(MQTT_TIMEOUT, failed.value());
    CHECK_THROWS(MQTT_TIMEOUT, Result<void>(Error(MQTT_TIMEOUT)).value());
    CHECK(Result<void>().ok() && Result<void>().status() == MQTT_OK);
}

// Each setter once, with a value that it takes.
static void options() {
    Session(Options()
                .address("mqtts://localhost:1")
                .host("localhost")
                .port(2)
                .tls(false)
                .version(Version::v5)
                .client_id("client")
                .any_client_id(true)
                .clean_session(false)
                .user_name("user")
                .password("secret")
                .keep_alive(30s)
                .connect_timeout(5s)
                .reconnect(false)
                .reconnect_delay(10ms, 1min)
                .stable_time(1s)
                .retry_first_connect(true)
                .retry(MQTT_BAD_CREDENTIALS, true)
                .redirect_limit(3)
                .credentials_source([](const Credentials &) {})
                .credentials_source(nullptr)
                .authenticator("method", [](const Authentication &) {})
                .scram_sha_256("user", "secret")
                .time_to_live(1min)
                .topic_alias_limit(10)
                .set_aside_after(5)
                .in_flight_limit(10)
                .outgoing_limit(10, 1000)
                .outgoing_policy(Policy::keep_latest)
                .outgoing_wait(1s)
                .incoming_limit(10, 1000)
                .dispatch(Dispatch::polled)
                .acknowledge(Acknowledge::manual)
                .on_failure(Failure::refuse, MQTT_REASON_QUOTA_EXCEEDED)
                .end_on_session_loss(true)
                .store("store")
                .durability(Durability::system)
                .durability(100ms)
                .store_limit(1000, 1'000'000)
                .store(nullptr)
                .tls_system_authorities(false)
                .add_tls_authority_file("ca.pem")
                .add_tls_authority_pem("pem")
                .tls_certificate_files("both.pem")
                .tls_certificate_pem("pem", "pem", "secret")
                .tls_server_name("broker")
                .tls_verify(false)
                .will("will", "gone")
                .will("will", "gone", QoS::exactly_once, true,
                      Properties().add_number(MQTT_PROPERTY_WILL_DELAY_INTERVAL, 1))
                .clear_will()
                .add_connect_properties(
                    Properties().add_number(MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, 60))
                .maximum_packet_size(1000)
                .receive_maximum(10));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().port(70'000));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().keep_alive(18h + 13min));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().keep_alive(-1s));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().keep_alive(std::chrono::seconds::max()));
    CHECK_THROWS(MQTT_INVALID_TOPIC, Options().will("a/#", ""));
    CHECK_THROWS(MQTT_INVALID_OPTION, Options().time_to_live(0s));
    CHECK_THROWS(MQTT_INVALID_OPTION, Options().on_failure(Failure::refuse, MQTT_REASON_SUCCESS));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().retry(MQTT_OK, true));
    CHECK_THROWS(MQTT_INVALID_OPTION, Options().store(""));
    CHECK_THROWS(MQTT_INVALID_OPTION, Options().durability(0ms));
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().durability(static_cast<Durability>(3)));
    CHECK_THROWS(MQTT_INVALID_OPTION, Options().store_limit(1, 0));
    CHECK(!Options().retries(MQTT_BAD_CREDENTIALS) && Options().retries(MQTT_CONNECTION_REFUSED));
    CHECK(Options().retry(MQTT_BAD_CREDENTIALS, true).retries(MQTT_BAD_CREDENTIALS));
    PublishOptions().qos(QoS::at_least_once).retain(true).time_to_live(forever).time_to_live(1s);
    CHECK_THROWS(MQTT_INVALID_OPTION, PublishOptions().time_to_live(0s));
    RequestOptions().qos(QoS::exactly_once).properties(Properties());
    CHECK_THROWS(MQTT_INVALID_QOS, RequestOptions().qos(static_cast<QoS>(3)));
    SubscribeOptions()
        .qos(QoS::at_least_once)
        .no_local(true)
        .retain_as_published(true)
        .retain_handling(RetainHandling::do_not_send)
        .properties(Properties().add_user_property("name", "value"));
    CHECK_THROWS(MQTT_INVALID_QOS, SubscribeOptions().qos(static_cast<QoS>(-1)));
}

static void options_without_exceptions() {
    Options options(std::nothrow);
    CHECK(!options.failure());
    options.address("mqtt://").port(-1).client_id("client");
    CHECK(options.failure() && options.failure()->status() == MQTT_INVALID_ADDRESS);
    CHECK(Session::make(std::nothrow, options).status() == MQTT_INVALID_ADDRESS);
    CHECK_THROWS(MQTT_INVALID_ADDRESS, Session(options));

    // It goes on to whatever the failed thing is given to.
    Properties properties(std::nothrow);
    properties.add_number(MQTT_PROPERTY_CONTENT_TYPE, 1);
    CHECK(properties.failure()->status() == MQTT_INVALID_ARGUMENT);
    Options will(std::nothrow);
    will.will("will", "", QoS::at_most_once, false, properties);
    CHECK(will.failure()->status() == MQTT_INVALID_ARGUMENT);
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Options().add_connect_properties(properties));
    PublishOptions publish(std::nothrow);
    publish.properties(properties);
    RequestOptions request(std::nothrow);
    request.properties(properties);
    SubscribeOptions subscribe(std::nothrow);
    subscribe.properties(properties);

    const Session session;
    const auto refuse = [&](const auto &result) {
        CHECK(result.status() == MQTT_INVALID_ARGUMENT);
    };
    refuse(session.publish(std::nothrow, "a", "", publish));
    refuse(session.publish(std::nothrow, "a", "", publish,
                           [](std::uint64_t, const Result<Outcome> &) {}));
    refuse(session.subscribe(std::nothrow, "a", subscribe, [](const Message &) {}));
    refuse(session.subscribe_start(std::nothrow, {"a"}, subscribe, [](const Message &) {}));
    refuse(session.disconnect_start(std::nothrow, 0s, MQTT_REASON_SUCCESS, properties));
    refuse(session.unsubscribe_many_start(std::nothrow, {"a"}, properties));
    refuse(session.request(std::nothrow, "a", "", request));
    refuse(session.request_start(std::nothrow, "a", "", request));
    refuse(session.reply(std::nothrow, OwnedMessage(nullptr), "", publish));
    refuse(session.reply(std::nothrow, OwnedMessage(nullptr), "", PublishOptions()));
    refuse(Acknowledgement(nullptr).refuse(std::nothrow, MQTT_REASON_QUOTA_EXCEEDED, properties));
}

static void properties() {
    const unsigned char data[] = {0, 1, 2};
    Properties properties;
    properties.add_number(MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, 60)
        .add_text(MQTT_PROPERTY_CONTENT_TYPE, "text/plain")
        .add_binary(MQTT_PROPERTY_CORRELATION_DATA, data)
        .add_user_property("name", "first")
        .add_user_property("name", "second");
    const PropertyView view = properties.view();
    CHECK(view.size() == 5 && !view.empty());
    CHECK(view[0].identifier == MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL && view[0].number == 60);
    CHECK(view.find(MQTT_PROPERTY_CONTENT_TYPE)->value == "text/plain");
    CHECK(view.find(MQTT_PROPERTY_CORRELATION_DATA)->value == std::string_view("\0\1\2", 3));
    CHECK(view[4].name == "name" && view[4].value == "second");
    CHECK(view.user_property("name") == "first");
    CHECK(!view.user_property("other") && !view.find(MQTT_PROPERTY_RESPONSE_TOPIC));
    CHECK(view[5].identifier == -1);
    CHECK(PropertyView(nullptr).empty());
}

static void moving() {
    Session session;
    const mqtt_session *const object = session.get();
    Session moved(std::move(session));
    CHECK(moved.get() == object && session.get() == nullptr);
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, session.publish("a", "b"));
    CHECK(session.flush(std::nothrow).status() == MQTT_INVALID_ARGUMENT);
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, session.state());
    session = std::move(moved);
    CHECK(session.get() == object && session.state() == State::disconnected);

    Operation operation(nullptr);
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, operation.wait());
    CHECK(std::move(operation).on_end(std::nothrow, [](auto &, auto &) {}).status() ==
          MQTT_INVALID_ARGUMENT);
    OwnedMessage message(nullptr);
    CHECK(message.topic().empty() && message.payload().empty() && message.properties().empty());
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, message.keep());
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, message.acknowledgement());
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, Acknowledgement(nullptr).send());
    CHECK_THROWS(MQTT_INVALID_ARGUMENT, operation.message());
    CHECK(!operation.outcome());
    OwnedOutcome outcome(nullptr);
    CHECK(!outcome.ok() && !outcome.reason() && outcome.reason_string().empty());
    CHECK(outcome.properties().empty() && outcome.message() == std::string());
    OwnedOutcome moved_outcome(std::move(outcome));
    outcome = std::move(moved_outcome);
    Connection connection(nullptr);
    CHECK(!connection.session_present() && connection.client_id().empty());
    CHECK(!connection.number(MQTT_PROPERTY_RECEIVE_MAXIMUM) && connection.properties().empty());
}

// Each callable is destroyed exactly once, also where the function refuses.
static void destroying() {
    Counter ended;
    auto ends = [&, so_far = 0](int count) mutable {
        so_far += count;
        CHECK(ended.value() == so_far);
    };
    {
        const Session session;
        const auto handler = [&] { return [token = Token(ended)](const Message &) {}; };
        CHECK_THROWS(MQTT_INVALID_FILTER,
                     session.subscribe("a/#/b", QoS::at_most_once, handler()));
        ends(1);
        CHECK(session.subscribe(std::nothrow, "a", static_cast<QoS>(3), handler()).status() ==
              MQTT_INVALID_QOS);
        ends(1);
        CHECK_THROWS(MQTT_INVALID_FILTER,
                     session.subscribe_start({"a", ""}, SubscribeOptions(), handler()));
        ends(1);
        CHECK_THROWS(MQTT_INVALID_UTF8,
                     session.subscribe("a\0b"s, SubscribeOptions(), handler()));
        ends(1);
        CHECK_THROWS(MQTT_NOT_CONNECTED,
                     session.publish("a", "", PublishOptions(),
                                     [token = Token(ended)](auto, auto &) {}));
        ends(1);
        CHECK_THROWS(MQTT_NOT_SUPPORTED,
                     session.respond("a", QoS::at_most_once,
                                     [token = Token(ended)](const Message &, const Response &) {}));
        ends(1);
        CHECK_THROWS(MQTT_INVALID_UTF8,
                     Options().authenticator("a\0b"s,
                                             [token = Token(ended)](const Authentication &) {}));
        ends(1);
        Options().credentials_source([token = Token(ended)](const Credentials &) {});
        ends(1);
        // Before a connect: in place at once, granted later.
        CHECK(!session.subscribe("a", QoS::at_most_once, handler(), 0s));
        session.set_event_handler([token = Token(ended)](const Event &) {});
        ends(0);
    }
    CHECK(ended.reaches(10));
    ends(2);
    set_log(LogLevel::trace, [token = Token(ended)](LogLevel, std::string_view) {});
    ends(0);
    set_log(nullptr);
    ends(1);
}

int main() {
    text();
    bytes();
    time();
    errors();
    options();
    options_without_exceptions();
    properties();
    moving();
    destroying();
    check_all_freed();
}
