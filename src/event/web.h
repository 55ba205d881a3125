/* web: the fields of a web request as Sigma names them, made of what the logs have; shared by the readers of web logs and derived.c.
 *
 * Most rules look for paths in cs-uri-query, some for the query alone: there are two columns of that name, the query and the whole URI, stem
 * and query joined by '?'. cs-user-agent comes in two forms too, as the log has it and with '+' read as a blank. All values are views or
 * live in the arena; empty when it is full. */
#pragma once
#include "base/arena.h"

enum web_how {
	WEB_CELL,        /* the cell itself */
	WEB_URI,         /* stem?query */
	WEB_AGENT,       /* user agent with + read as blank; absent when there is none */
	WEB_EXTENSION,   /* of the stem: "aspx"; absent when there is none */
	WEB_STEM,        /* the part of a URI before '?' */
	WEB_QUERY        /* the part behind it; absent when there is none */
};
/* A missing query is "" or "-"; a leading '?' of its own is not doubled. */
struct str web_uri(struct arena *a, struct str stem, struct str query);
/* p == NULL where web_how says absent. */
struct str web_agent(struct arena *a, struct str agent);
struct str web_extension(struct str stem);
struct str web_stem(struct str uri);
struct str web_query(struct str uri);
