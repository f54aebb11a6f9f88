// Every test is linked with this second unit: the header, twice here, must not define anything
// twice in a program.
#include <mqttsession.hpp>
#include <mqttsession.hpp>

void use_everything_inline();

void use_everything_inline() {
    mqttsession::on_callback_exception(nullptr);
    mqttsession::set_log(nullptr);
}
