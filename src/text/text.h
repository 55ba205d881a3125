/* text: syntaxes without meaning. What JSON, YAML, UTF-16 and their like say, not what it means for a log or a rule.
 * Uses base only. Include this one, or the single header you need. */
#pragma once
#include "text/base64.h"
#include "text/csv.h"
#include "text/escape.h"
#include "text/glob.h"
#include "text/hex.h"
#include "text/json_read.h"
#include "text/json_write.h"
#include "text/regex.h"
#include "text/utf.h"
#include "text/xml.h"
#include "text/yaml.h"
