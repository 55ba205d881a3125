/* base: the ground floor. Memory, bytes, text views, time, hashes, faults. Uses nothing but libc, OpenSSL's SHA-256 and
 * libsodium's random numbers. Include this one, or the single header you need. */
#pragma once
#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/decimal.h"
#include "base/etime.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/zone.h"
