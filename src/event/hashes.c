/* hashes.c: see hashes.h. */
#include "event/hashes.h"

const char *const hash_names[HASH_NAMES] = {"md5", "sha1", "sha256", "Imphash", "MD5", "SHA1", "SHA256", "IMPHASH", "imphash"};

bool hash_is_whole(struct str column) { return str_eq(column, STR("Hashes")) || str_eq(column, STR("Hash")); }

void hash_part(const struct value *whole, unsigned which, struct value *ret)
{
	*ret = (struct value){.kind = VALUE_ABSENT};
	struct str name = str_of(hash_names[which]), rest = whole->kind == VALUE_STR ? whole->text : (struct str){NULL, 0};
	while (rest.p) {
		struct str value = str_trim(str_cut(&rest, ',')), algorithm = str_cut(&value, '=');
		if (!value.p || !str_eq_nocase(algorithm, name)) continue;
		*ret = value_str(value);
		return;
	}
}
