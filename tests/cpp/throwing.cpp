// Exceptions that leave callbacks: caught, reported once each, the message failed. Arguments: the
// address of a broker that sends two messages, and "yes" or "no" for acknowledging failed ones.
#include "check.hpp"

#include <unistd.h>

using namespace mqttsession;

struct Reports {
    Counter count;
    std::mutex mutex;
    std::vector<std::string> texts;
};

static std::string text_of(const std::exception_ptr &exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception &known) {
        return known.what();
    } catch (...) {
        return "something";
    }
}

static void collect_into(Reports &reports) {
    on_callback_exception([&](const std::exception_ptr &exception) {
        const std::lock_guard<std::mutex> lock(reports.mutex);
        reports.texts.push_back(text_of(exception));
        reports.count.add();
    });
}

// What a handler prints on standard error that throws without a hook, and with one that throws.
static std::string printed(const Session &session) {
    std::FILE *const file = std::tmpfile();
    const int standard_error = dup(STDERR_FILENO);
    CHECK(file && dup2(fileno(file), STDERR_FILENO) >= 0);
    for (const char *hook : {"", "the hook's own"}) {
        if (*hook)
            on_callback_exception([=](const std::exception_ptr &) { throw std::logic_error(hook); });
        else
            on_callback_exception(nullptr);
        Counter destroyed;
        session.publish("demo/out", "", PublishOptions(),
                        [token = Token(destroyed)](std::uint64_t, const Result<Outcome> &) {
                            throw std::runtime_error("a completion's");
                        });
        CHECK(destroyed.reaches(1));
    }
    CHECK(dup2(standard_error, STDERR_FILENO) >= 0 && close(standard_error) == 0);
    std::string text(1000, '\0');
    std::rewind(file);
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    Reports reports;
    collect_into(reports);
    Counter destroyed;
    {
        const Session session(Options()
                                  .address(arguments[1])
                                  .on_failure(arguments[2] == std::string("yes")
                                                  ? Failure::acknowledge
                                                  : Failure::leave));
        session.set_event_handler([](const Event &event) {
            if (event.kind() == EventKind::connected)
                throw std::runtime_error("an event's");
        });
        session.connect(deadline);
        CHECK(reports.count.reaches(1));
        session.subscribe("demo/in", QoS::at_least_once,
                          [token = Token(destroyed)](const Message &message) {
                              if (message.payload() == "one")
                                  throw std::runtime_error(std::string(message.payload()));
                              throw 2;
                          });
        CHECK(reports.count.reaches(3));
        session.flush_start().on_end(
            [token = Token(destroyed)](const Operation &, const Result<void> &result) {
                result.value();
                throw std::runtime_error("an operation's");
            });
        CHECK(reports.count.reaches(4));
        const std::string text = printed(session);
        const std::string line = "mqttsession: an exception left a callback: ";
        const std::string completion = line + "a completion's\n";
        CHECK(text == completion + completion + line + "the hook's own\n");
        collect_into(reports);
        session.disconnect(deadline);
    }
    CHECK(destroyed.value() == 2);
    CHECK(reports.texts ==
          (std::vector<std::string>{"an event's", "one", "something", "an operation's"}));
    on_callback_exception(nullptr);
    check_all_freed();
}
