/* evidence: what makes a finding checkable by strangers. Trees over records, proofs, keys, signed notes, policies, timestamps,
 * envelopes. Formats are public standards, to the byte; nothing here knows what a finding or a case is. Uses base and text.
 * The front door of the room: include this one, or the single header you need. */
#pragma once
#include "evidence/canon.h"
#include "evidence/dsse.h"
#include "evidence/key.h"
#include "evidence/merkle.h"
#include "evidence/multiproof.h"
#include "evidence/signed_note.h"
#include "evidence/policy.h"
#include "evidence/salt.h"
#include "evidence/source_tree.h"
#include "evidence/tlog_proof.h"
#include "evidence/tsp.h"
