/* The same with callbacks on the I/O thread. */
#define INLINE
#include "ours.c"
