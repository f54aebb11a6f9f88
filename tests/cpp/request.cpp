// Asking and answering: at once, later, and by a responder that throws. Argument: the address of a
// real broker.
#include "check.hpp"

using namespace mqttsession;
using namespace std::chrono_literals;

int main(int count, char **arguments) {
    CHECK(count == 2);
    Counter kept, thrown;
    std::optional<OwnedMessage> question;
    on_callback_exception([&](const std::exception_ptr &) { thrown.add(); });
    {
        const Session asking(Options().address(arguments[1]).version(Version::v5));
        const Session answering(Options().address(arguments[1]).version(Version::v5));
        asking.connect(deadline);
        answering.connect(deadline);
        const auto granted = answering.respond(
            "demo/echo", QoS::at_least_once,
            [](const Message &request, const Response &response) {
                if (request.payload() == "throw")
                    throw std::runtime_error("no answer");
                response.payload(request.payload());
                response.properties(Properties().add_text(MQTT_PROPERTY_CONTENT_TYPE, "echo"));
            },
            deadline);
        CHECK(granted == QoS::at_least_once);
        answering.respond(
            "demo/later", QoS::at_least_once,
            [&](const Message &request, const Response &) {
                question = request.keep();
                kept.add();
            },
            deadline);

        const OwnedMessage answer = asking.request("demo/echo", "hello", deadline);
        CHECK(answer.payload() == "hello");
        CHECK(answer.properties().find(MQTT_PROPERTY_CONTENT_TYPE)->value == "echo");
        RequestOptions exactly;
        exactly.qos(QoS::exactly_once);
        CHECK(asking.request("demo/echo", "again", exactly, deadline).payload() == "again");
        CHECK_THROWS(MQTT_TIMEOUT, asking.request("demo/echo", "throw", 1ms));
        CHECK(thrown.reaches(1));
        CHECK(asking.request(std::nothrow, "demo/nobody", "", deadline).status() ==
              MQTT_NO_RESPONDER);

        const Operation waiting =
            asking.request_start("demo/later", "when?", RequestOptions(), forever);
        CHECK(kept.reaches(1));
        CHECK(waiting.message(std::nothrow).status() == MQTT_TIMEOUT);
        const std::uint64_t number = answering.reply(*question, "now", PublishOptions());
        answering.wait(number, deadline);
        waiting.wait(deadline);
        CHECK(waiting.message().payload() == "now");
        question.reset();
        asking.disconnect(deadline);
        answering.disconnect(deadline);
    }
    on_callback_exception(nullptr);
    check_all_freed();
}
