/* Each header compiles alone, and twice. */
#ifdef FIRST
#include <mqttsession.h>
#include <mqttsession.h>
#else
#include <mqttsession_wlanguage.h>
#include <mqttsession_wlanguage.h>
#endif

int main(void)
{
    return 0;
}
