/* zlib, for rotated logs that gzip has compressed. */
#include <zlib.h>
