/* sift.c: the texts of leaves as event/sift.h asks for them, not decoded. See evtx_internal.h. */
#include "evtx/narrow_internal.h"

/* A byte beyond ASCII may be of a letter in disguise. */
bool leaf_is_silent(const struct leaf *l)
{
	for (uint32_t i = 0; i < l->n_parts; i++) {
		struct str text = l->parts[i]->text;
		if (l->parts[i]->kind != X_TEXT) return false;
		for (size_t k = 0; k < text.n; k++)
			if (sift_tells(text.p[k]) || (unsigned char)text.p[k] >= 0x80) return false;
	}
	return true;
}

uint32_t instance_sift(const struct instance *in, const struct leaf *const *each, const struct leaf *row, uint32_t from, uint32_t n, struct buf *out)
{
	for (; from < n; from++) {
		const struct leaf *l = each ? each[from] : &row[from];
		bool decode;
		if (!l || l->silent) continue;
		if (l->slot >= in->n_slots) {
			if (l->slot == UINT32_MAX) return from;
			continue;
		}
		if (!slot_sift(&in->slots[l->slot], out, &decode)) return SIFT_NOT;
		if (decode) return from;
	}
	return n;
}
