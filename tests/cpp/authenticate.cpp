// Proving who the session is. Arguments: the address, and "exchange" with a method of the program's
// own, and again; "throw" out of the exchange; "credentials" from a source, which then fails.
#include "check.hpp"

using namespace mqttsession;

static Options options(const char *address) {
    Options options;
    options.address(address).version(Version::v5);
    return options;
}

static void check_exchange(const char *address, Counter &destroyed) {
    Counter asked;
    Options asking = options(address);
    asking.authenticator("rot13", [&, token = Token(destroyed)](const Authentication &step) {
        switch (asked.add()) {
        case 1:
            CHECK(step.step() == AuthenticationStep::connect && !step.data());
            return step.answer("hello");
        case 2:
            CHECK(step.step() == AuthenticationStep::more && step.data() == "who?");
            return step.answer("me");
        case 3:
            CHECK(step.step() == AuthenticationStep::success && step.data() == "welcome");
            return;
        case 4:
            CHECK(step.step() == AuthenticationStep::again && !step.data());
            return step.answer("still me");
        case 5:
            CHECK(step.data() == "");
            return step.answer("");
        default:
            CHECK(step.step() == AuthenticationStep::success && !step.data());
        }
    });
    const Session session(asking);
    session.connect(deadline);
    CHECK(asked.value() == 3);
    session.reauthenticate(deadline);
    CHECK(asked.value() == 6);
    session.disconnect(deadline);
}

static void check_throw(const char *address, Counter &destroyed) {
    Options asking = options(address);
    asking.authenticator("rot13", [token = Token(destroyed)](const Authentication &step) {
        if (step.step() == AuthenticationStep::more)
            throw Error(MQTT_TIMEOUT);
    });
    const Result<void> result = Session(asking).connect(std::nothrow, deadline);
    CHECK(result.status() == MQTT_AUTHENTICATION_FAILED);
    CHECK(result.error().cause().find(mqtt_status_sentence(MQTT_TIMEOUT)) != std::string::npos);
}

static void check_credentials(const char *address, Counter &destroyed) {
    Counter asked, ended, reported;
    on_callback_exception([&](const std::exception_ptr &) { reported.add(); });
    Options asking = options(address);
    asking.reconnect_delay(std::chrono::milliseconds(1), std::chrono::milliseconds(1))
        .credentials_source([&, token = Token(destroyed)](const Credentials &credentials) {
            const int attempt = asked.add();
            if (attempt > 2)
                throw std::runtime_error("no more tokens");
            credentials.user_name("me");
            credentials.password(attempt == 1 ? "first" : "second");
        });
    const Session session(asking);
    session.set_event_handler([&](const Event &event) {
        if (event.kind() != EventKind::disconnected)
            return;
        CHECK(event.error()->status() == MQTT_AUTHENTICATION_FAILED);
        ended.add();
    });
    session.connect(deadline);
    CHECK(ended.reaches(1) && asked.value() == 3 && reported.value() == 1);
    on_callback_exception(nullptr);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    const std::string what = arguments[2];
    Counter destroyed;
    if (what == "exchange")
        check_exchange(arguments[1], destroyed);
    else if (what == "throw")
        check_throw(arguments[1], destroyed);
    else
        check_credentials(arguments[1], destroyed);
    CHECK(destroyed.reaches(1));
    check_all_freed();
}
