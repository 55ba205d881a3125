/* custody.c: the chain of custody as CASE/UCO JSON-LD (https://caseontology.org), one investigative action a step, one file a source. See casefile.h.
 *
 * Ids are made from the case's own, so that the same case gives the same bytes. Each action's result is the state of the case after it, and
 * the object of the next. CASE has no class for a Merkle root: it stands in a facet of a namespace of our own. */
#include "casefile/casefile.h"
#include <inttypes.h>

static const char head[] = "{\"@context\":{\"kb\":\"http://example.org/kb/\",\"exhibit\":\"https://exhibit.invalid/ns#\",\"xsd\":\"http://www.w3.org/2001/XMLSchema#\","
	"\"case-investigation\":\"https://ontology.caseontology.org/case/investigation/\",\"uco-core\":\"https://ontology.unifiedcyberontology.org/uco/core/\","
	"\"uco-action\":\"https://ontology.unifiedcyberontology.org/uco/action/\",\"uco-identity\":\"https://ontology.unifiedcyberontology.org/uco/identity/\","
	"\"uco-observable\":\"https://ontology.unifiedcyberontology.org/uco/observable/\",\"uco-tool\":\"https://ontology.unifiedcyberontology.org/uco/tool/\","
	"\"uco-types\":\"https://ontology.unifiedcyberontology.org/uco/types/\"},\n\"@graph\":[\n";

/* A UUID of version 8 (RFC 9562: made from a hash), for a thing of this case. */
static void id_of(struct buf *out, struct str case_id, const char *kind, int64_t n)
{
	struct buf seed = {0};
	uint8_t h[SHA256_SIZE];
	buf_str(&seed, case_id);
	buf_printf(&seed, "/%s/%" PRId64, kind, n);
	sha256_of(seed.p, seed.n, h);
	h[6] = (uint8_t)((h[6] & 0x0f) | 0x80);
	h[8] = (uint8_t)((h[8] & 0x3f) | 0x80);
	buf_printf(out, "\"kb:%s-", kind);
	for (int i = 0; i < 16; i++) buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", h[i]);
	buf_byte(out, '"');
	buf_done(&seed);
}

static void ref(struct buf *out, struct str case_id, const char *kind, int64_t n)
{
	buf_lit(out, "{\"@id\":");
	id_of(out, case_id, kind, n);
	buf_byte(out, '}');
}

static void hash(struct buf *out, struct str sha256)
{
	buf_lit(out, "{\"@type\":\"uco-types:Hash\",\"uco-types:hashMethod\":\"SHA256\",\"uco-types:hashValue\":{\"@type\":\"xsd:hexBinary\",\"@value\":\"");
	buf_hex(out, sha256.p, sha256.n);
	buf_lit(out, "\"}}");
}

static bool actions(struct case_file *c, struct str case_id, struct buf *out, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT id, action, time, operator, host, tool, command, note, leaves, root FROM step ORDER BY id", f);
	sqlite3_stmt *read = case_db_prepare(c->db, "SELECT id FROM source WHERE step = ? ORDER BY id", f);
	bool ok = s && read;
	while (ok && sqlite3_step(s) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0);
		buf_lit(out, "{\"@id\":");
		id_of(out, case_id, "identity", id);
		buf_lit(out, ",\"@type\":\"uco-identity:Identity\",\"uco-core:name\":");
		canon_str(out, case_column_str(s, 3));
		buf_lit(out, "},\n{\"@id\":");
		id_of(out, case_id, "tool", id);
		buf_lit(out, ",\"@type\":\"uco-tool:AnalyticTool\",\"uco-core:name\":\"Exhibit\",\"uco-tool:version\":");
		canon_str(out, case_column_str(s, 5));
		buf_lit(out, "},\n{\"@id\":");
		id_of(out, case_id, "location", id);
		buf_lit(out, ",\"@type\":\"uco-observable:ObservableObject\",\"uco-core:name\":");
		canon_str(out, case_column_str(s, 4));
		buf_lit(out, "},\n{\"@id\":");
		id_of(out, case_id, "action", id);
		buf_lit(out, ",\"@type\":\"case-investigation:InvestigativeAction\",\"uco-core:name\":");
		canon_str(out, case_column_str(s, 1));
		buf_lit(out, ",\"uco-core:description\":[");
		canon_str(out, case_column_str(s, 6));
		if (case_column_str(s, 7).n) buf_byte(out, ','), canon_str(out, case_column_str(s, 7));
		buf_lit(out, "],\"uco-action:startTime\":{\"@type\":\"xsd:dateTime\",\"@value\":");
		canon_str(out, case_column_str(s, 2));
		buf_lit(out, "},\"uco-action:performer\":");
		ref(out, case_id, "identity", id);
		buf_lit(out, ",\"uco-action:instrument\":");
		ref(out, case_id, "tool", id);
		buf_lit(out, ",\"uco-action:environment\":");
		ref(out, case_id, "location", id);
		buf_lit(out, ",\"uco-action:object\":[");
		if (id > 1) ref(out, case_id, "provenance", id - 1);
		sqlite3_bind_int64(read, 1, id);
		for (bool first = id == 1; sqlite3_step(read) == SQLITE_ROW; first = false) {
			if (!first) buf_byte(out, ',');
			ref(out, case_id, "file", sqlite3_column_int64(read, 0));
		}
		sqlite3_reset(read);
		buf_lit(out, "],\"uco-action:result\":");
		ref(out, case_id, "provenance", id);
		buf_lit(out, "},\n{\"@id\":");
		id_of(out, case_id, "provenance", id);
		buf_printf(out, ",\"@type\":\"case-investigation:ProvenanceRecord\",\"case-investigation:exhibitNumber\":\"%.*s/%" PRId64 "\",\"uco-core:description\":\"the case after step %" PRId64
			"\",\"exhibit:rowsBefore\":%lld,\"exhibit:rootBefore\":", STR_FMT(case_id), id, id, (long long)sqlite3_column_int64(s, 8));
		hash(out, case_column_str(s, 9));
		buf_lit(out, "},\n");
	}
	sqlite3_finalize(s);
	sqlite3_finalize(read);
	return ok;
}

static bool files(struct case_file *c, struct str case_id, struct buf *out, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT id, path, size, sha256, root, leaves FROM source ORDER BY id", f);
	bool first = true;
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		if (!first) buf_lit(out, ",\n");
		first = false;
		buf_lit(out, "{\"@id\":");
		id_of(out, case_id, "file", sqlite3_column_int64(s, 0));
		buf_lit(out, ",\"@type\":\"uco-observable:File\",\"uco-core:hasFacet\":[{\"@type\":\"uco-observable:FileFacet\",\"uco-observable:filePath\":");
		canon_str(out, case_column_str(s, 1));
		buf_printf(out, "},{\"@type\":\"uco-observable:ContentDataFacet\",\"uco-observable:sizeInBytes\":%lld", (long long)sqlite3_column_int64(s, 2));
		if (sqlite3_column_type(s, 3) != SQLITE_NULL) {
			buf_lit(out, ",\"uco-observable:hash\":");
			hash(out, case_column_str(s, 3));
		}
		buf_byte(out, '}');
		if (sqlite3_column_type(s, 4) != SQLITE_NULL) {
			buf_printf(out, ",{\"@type\":\"exhibit:RecordTreeFacet\",\"exhibit:leaves\":%lld,\"exhibit:root\":", (long long)sqlite3_column_int64(s, 5));
			hash(out, case_column_str(s, 4));
			buf_byte(out, '}');
		}
		buf_lit(out, "]}");
	}
	sqlite3_finalize(s);
	return s != NULL;
}

bool case_custody_jsonld(struct case_file *c, struct buf *out, struct fault *f)
{
	struct buf id = {0};
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT case_id FROM case_info WHERE id = 1", f);
	bool ok = s && sqlite3_step(s) == SQLITE_ROW;
	if (ok) buf_str(&id, case_column_str(s, 0));
	sqlite3_finalize(s);
	buf_put(out, head, sizeof head - 1);
	ok = ok && actions(c, buf_view(&id), out, f);
	buf_lit(out, "{\"@id\":\"kb:exhibit-case\",\"@type\":\"case-investigation:Investigation\",\"uco-core:name\":");
	canon_str(out, buf_view(&id));
	buf_lit(out, "},\n");
	struct buf list = {0};
	ok = ok && files(c, buf_view(&id), &list, f);
	if (!list.n) out->n -= 2;
	buf_str(out, buf_view(&list));
	buf_lit(out, "\n]}\n");
	buf_done(&list);
	buf_done(&id);
	return ok;
}
