/* lost.c: stand-ins for templates that are lost. The System template of Windows has one layout of slots wherever it was met: in a
 * variant with 18 values (provider and channel are values) and one with 20 (they were literals of the template). */
#include "evtx/evtx_internal.h"

struct build { struct arena *a; bool failed; };

static void *get(struct build *b, size_t n)
{
	void *p = arena_calloc(b->a, 1, n);
	b->failed |= !p;
	return p;
}

static const struct xnode *slot(struct build *b, uint16_t index)
{
	struct xnode *n = get(b, sizeof *n);
	if (n) n->kind = X_SLOT, n->slot = index, n->optional = true;
	return n;
}

/* An element with room for `n` children, to be filled in. */
static struct xnode *element(struct build *b, const char *name, uint32_t n, const struct xnode ***ret_children)
{
	struct xnode *e = get(b, sizeof *e);
	*ret_children = get(b, (n ? n : 1) * sizeof **ret_children);
	if (!e || !*ret_children) return NULL;
	*e = (struct xnode){.kind = X_ELEMENT, .slot = XNODE_NO_DEPENDENCY, .text = str_of(name), .n_children = n, .children = *ret_children};
	return e;
}

static const struct xnode *text_element(struct build *b, const char *name, int index)
{
	const struct xnode **children;
	struct xnode *e = element(b, name, index >= 0, &children);
	if (e && index >= 0) children[0] = slot(b, (uint16_t)index);
	return e;
}

/* Up to two attributes from slots; index -1: none. */
static const struct xnode *attributes(struct build *b, struct xnode *e, const char *one, int first, const char *two, int second)
{
	struct xattr *v = get(b, 2 * sizeof *v);
	const struct { const char *name; int index; } wanted[] = {{one, first}, {two, second}};
	if (!e || !v) return e;
	for (int i = 0; i < 2; i++) {
		if (wanted[i].index < 0) continue;
		const struct xnode **part = get(b, sizeof *part);
		if (!part) return e;
		part[0] = slot(b, (uint16_t)wanted[i].index);
		v[e->n_attrs++] = (struct xattr){str_of(wanted[i].name), part, 1};
	}
	e->attrs = v;
	return e;
}

static const struct xnode *system_element(struct build *b, bool with_provider)
{
	const struct xnode **c;
	struct xnode *system = element(b, "System", 13, &c);
	if (!system) return NULL;
	c[0] = attributes(b, (struct xnode *)text_element(b, "Provider", -1), "Name", with_provider ? 14 : -1, "Guid", with_provider ? 15 : -1);
	c[1] = attributes(b, (struct xnode *)text_element(b, "EventID", 3), "Qualifiers", 4, "", -1);
	c[2] = text_element(b, "Version", 11);
	c[3] = text_element(b, "Level", 0);
	c[4] = text_element(b, "Task", 2);
	c[5] = text_element(b, "Opcode", 1);
	c[6] = text_element(b, "Keywords", 5);
	c[7] = attributes(b, (struct xnode *)text_element(b, "TimeCreated", -1), "SystemTime", 6, "", -1);
	c[8] = text_element(b, "EventRecordID", 10);
	c[9] = attributes(b, (struct xnode *)text_element(b, "Correlation", -1), "ActivityID", 7, "RelatedActivityID", with_provider ? 13 : 18);
	c[10] = attributes(b, (struct xnode *)text_element(b, "Execution", -1), "ProcessID", 8, "ThreadID", 9);
	c[11] = text_element(b, "Channel", with_provider ? 16 : -1);
	c[12] = attributes(b, (struct xnode *)text_element(b, "Security", -1), "UserID", 12, "", -1);
	return system;
}

static const struct xnode *data_elements(struct build *b, uint32_t n)
{
	const struct xnode **c;
	struct xnode *e = element(b, "EventData", n, &c);
	for (uint32_t i = 0; e && i < n; i++) c[i] = text_element(b, "Data", (int)i);
	return e;
}

struct fragment *lost_fragment(struct evtx_chunk *chunk, uint32_t n_slots, bool root)
{
	struct build b = {chunk->arena, false};
	struct fragment *f = get(&b, sizeof *f);
	const struct xnode **c;
	bool known = root && (n_slots == 18 || n_slots == 20);
	if (n_slots > 1024) n_slots = 1024;
	if (!f) return NULL;
	if (!root) {
		f->root = data_elements(&b, n_slots);
	} else {
		struct xnode *event = element(&b, "Event", 2, &c);
		if (!event) return NULL;
		const struct xnode **none;
		c[0] = known ? system_element(&b, n_slots == 18) : element(&b, "System", 0, &none);
		c[1] = known ? slot(&b, (uint16_t)(n_slots - 1)) : data_elements(&b, n_slots);
		f->root = event;
	}
	if (b.failed) return NULL;
	fragment_understand(f, chunk->arena);
	return f;
}

static const struct xnode *text_node(struct build *b, const char *from, const char *to)
{
	struct xnode *n = get(b, sizeof *n);
	if (n) n->kind = X_TEXT, n->text = arena_str(b->a, (struct str){from, (size_t)(to - from)});
	return n;
}

struct fragment *bare_fragment(struct evtx_chunk *chunk, uint64_t record_id, uint64_t filetime)
{
	struct build b = {chunk->arena, false};
	struct fragment *f = get(&b, sizeof *f);
	char text[EVTX_TEXT_MAX];
	const struct xnode **event_children, **system_children, **id_children;
	struct xnode *event = element(&b, "Event", 1, &event_children), *system = element(&b, "System", 2, &system_children);
	struct xnode *time = (struct xnode *)text_element(&b, "TimeCreated", -1), *id = element(&b, "EventRecordID", 1, &id_children);
	struct xattr *attribute = get(&b, sizeof *attribute);
	const struct xnode **part = get(&b, sizeof *part);
	if (b.failed) return NULL;
	event_children[0] = system;
	system_children[0] = time;
	system_children[1] = id;
	part[0] = text_node(&b, text, format_filetime(text, filetime, &chunk->format));
	*attribute = (struct xattr){STR("SystemTime"), part, 1};
	time->attrs = attribute;
	time->n_attrs = 1;
	id_children[0] = text_node(&b, text, format_u64(text, record_id));
	f->root = event;
	if (b.failed) return NULL;
	fragment_understand(f, chunk->arena);
	return f;
}
