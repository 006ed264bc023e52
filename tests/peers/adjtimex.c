/* What libfaketime leaves to be done for a test of clocks. Preloaded before it; nothing is ever set.
 *
 *   adjtimex          answers as the file $FAKE_ADJTIMEX says: it begins with "1" for a synchronised clock
 *   clock_nanosleep   the kernel's own: libfaketime 0.9.10 moves deadlines of the monotonic clock too, although that is not faked
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

int adjtimex(struct timex *timex)
{
    const char *path = getenv("FAKE_ADJTIMEX");
    FILE *file = path ? fopen(path, "r") : NULL;
    int synchronised = file && fgetc(file) == '1';
    if (file)
        fclose(file);
    memset(timex, 0, sizeof *timex);
    timex->status = synchronised ? STA_PLL : STA_UNSYNC;
    timex->maxerror = synchronised ? 25000 : 16000000;
    return synchronised ? TIME_OK : TIME_ERROR;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
    return syscall(SYS_clock_nanosleep, clock, flags, wanted, left) ? errno : 0;
}
