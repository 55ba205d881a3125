/* cmd_keygen.c: `exhibit keygen`: an Ed25519 key pair in two files. */
#include "app/app.h"
#include "evidence/evidence.h"
#include <unistd.h>

enum { OPT_OUTPUT, OPT_COSIGNER };
static const struct option_row rows[] = {
	[OPT_OUTPUT] = {'o', "output", "FILE", "the private key, mode 0600; FILE.pub is the public one (default: exhibit.key)"},
	[OPT_COSIGNER] = {0, "cosigner", NULL, "a key for cosignatures (exhibit cosign); without it, for seals. Each needs its own"},
	{0},
};

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct fault f = FAULT_INIT;
	const char *argument, *output = "exhibit.key", *name = NULL;
	enum key_type type = KEY_NOTE;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPT_OUTPUT) output = argument;
		else if (which == OPT_COSIGNER) type = KEY_COSIGNER;
		else if (name) return app_usage(self, "one name only");
		else name = argument;
	}
	if (!name) return app_usage(self, "whose key? Name it like cert.example/team");
	struct key_private key;
	struct buf line = {0};
	char public[4096];
	snprintf(public, sizeof public, "%s.pub", output);
	/* Both or none; writing refuses what exists. */
	bool ok = key_generate(str_of(name), type, &key, &f) && key_public_write(&key.public, public, &f);
	if (ok && !key_private_write(&key, output, &f)) ok = false, unlink(public);
	if (ok) {
		key_public_print(&key.public, &line);
		printf("%.*s\n", STR_FMT(buf_view(&line)));
	} else {
		app_fault(&f);
	}
	key_forget(&key);
	buf_done(&line);
	return ok ? EXIT_DONE : f.kind == FAULT_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

const struct command command_keygen = {
	.name = "keygen",
	.synopsis = "NAME [-o FILE] [--cosigner]",
	.summary = "make a key to seal or cosign cases with",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "NAME says whose key it is, without blanks: cert.example/team. Prints the public key, one line: give it to whoever is to check\n"
		"your signatures, by a way they trust. The private key stays with you.\n\n"
		"examples:\n"
		"  exhibit keygen cert.example/team -o team.key\n"
		"  exhibit keygen cert.example/witness --cosigner -o witness.key",
};
