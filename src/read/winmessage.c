/* winmessage.c: the text that Windows shows of an event, taken apart again: exports of the event viewer and of PowerShell hold nothing else. See winevent_internal.h.
 *
 *	An account failed to log on.
 *
 *	Account For Which Logon Failed:          a section
 *		Account Name:		administrator    a label within it, behind a tab
 *	Logon Type:			3                    one of its own
 * The labels are those of Windows' English messages, which Microsoft documents event by event; other languages stay what they are, a message. */
#include "read/winevent_internal.h"

/* A label is field `of` where its section begins so; NULL: in any. The first that fits counts. `channel`: S: Security, Y: System. */
static const struct { char channel; const char *section, *label, *of; } labels[] = {
	{'S', "Subject", "Security ID", "SubjectUserSid"}, {'S', "Subject", "Account Name", "SubjectUserName"}, {'S', "Subject", "Account Domain", "SubjectDomainName"},
	{'S', "Subject", "Logon ID", "SubjectLogonId"}, {'S', "Subject", "Domain Name", "SubjectDomainName"},
	{'S', "Creator Subject", "Security ID", "SubjectUserSid"}, {'S', "Creator Subject", "Account Name", "SubjectUserName"},
	{'S', "Creator Subject", "Account Domain", "SubjectDomainName"}, {'S', "Creator Subject", "Logon ID", "SubjectLogonId"},
	{'S', "Member", "Security ID", "MemberSid"}, {'S', "Member", "Account Name", "MemberName"},
	{'S', "Group", "Security ID", "TargetSid"}, {'S', "Group", "Group Name", "TargetUserName"}, {'S', "Group", "Group Domain", "TargetDomainName"},
	{'S', "Deleted Group", "Group Name", "TargetUserName"}, {'S', "New Group", "Group Name", "TargetUserName"},
	{'S', "New Account", "Security ID", "TargetSid"}, {'S', "Target Account", "Security ID", "TargetSid"},
	{'S', "Service Information", "Service Name", "ServiceName"}, {'S', "Service Information", "Service ID", "ServiceSid"},
	{'S', "Account Whose Credentials", "Account Name", "TargetUserName"}, {'S', "Account Whose Credentials", "Account Domain", "TargetDomainName"},
	{'S', "Account Whose Credentials", "Logon GUID", "TargetLogonGuid"},
	{'S', "Target Server", "Target Server Name", "TargetServerName"}, {'S', "Target Server", "Additional Information", "TargetInfo"},
	{'S', "New Logon", "Network Account Name", "TargetOutboundUserName"}, {'S', "New Logon", "Network Account Domain", "TargetOutboundDomainName"},
	{'S', "New Logon", "Linked Logon ID", "TargetLinkedLogonId"},
	{'S', NULL, "Security ID", "TargetUserSid"}, {'S', NULL, "Account Name", "TargetUserName"}, {'S', NULL, "Account Domain", "TargetDomainName"},
	{'S', NULL, "Logon ID", "TargetLogonId"}, {'S', NULL, "User ID", "TargetSid"}, {'S', NULL, "Supplied Realm Name", "TargetDomainName"},
	{'S', NULL, "Logon Account", "TargetUserName"}, {'S', NULL, "Source Workstation", "Workstation"}, {'S', NULL, "Error Code", "Status"},
	{'S', NULL, "Logon Type", "LogonType"}, {'S', NULL, "Logon GUID", "LogonGuid"}, {'S', NULL, "Elevated Token", "ElevatedToken"}, {'S', NULL, "Impersonation Level", "ImpersonationLevel"},
	{'S', NULL, "Restricted Admin Mode", "RestrictedAdminMode"}, {'S', NULL, "Virtual Account", "VirtualAccount"},
	{'S', NULL, "Workstation Name", "WorkstationName"}, {'S', NULL, "Source Network Address", "IpAddress"}, {'S', NULL, "Source Address", "IpAddress"},
	{'S', NULL, "Client Address", "IpAddress"}, {'S', NULL, "Network Address", "IpAddress"}, {'S', NULL, "Source Port", "IpPort"}, {'S', NULL, "Client Port", "IpPort"}, {'S', NULL, "Port", "IpPort"},
	{'S', NULL, "Logon Process", "LogonProcessName"}, {'S', NULL, "Authentication Package", "AuthenticationPackageName"}, {'S', NULL, "Transited Services", "TransmittedServices"},
	{'S', NULL, "Package Name (NTLM only)", "LmPackageName"}, {'S', NULL, "Key Length", "KeyLength"}, {'S', NULL, "Failure Reason", "FailureReason"}, {'S', NULL, "Status", "Status"},
	{'S', NULL, "Sub Status", "SubStatus"}, {'S', NULL, "Failure Code", "Status"}, {'S', NULL, "Result Code", "Status"}, {'S', NULL, "Ticket Options", "TicketOptions"},
	{'S', NULL, "Ticket Encryption Type", "TicketEncryptionType"}, {'S', NULL, "Pre-Authentication Type", "PreAuthType"},
	{'S', NULL, "Caller Process ID", "ProcessId"}, {'S', NULL, "Caller Process Name", "ProcessName"}, {'S', NULL, "New Process ID", "NewProcessId"}, {'S', NULL, "New Process Name", "NewProcessName"},
	{'S', NULL, "Token Elevation Type", "TokenElevationType"}, {'S', NULL, "Mandatory Label", "MandatoryLabel"}, {'S', NULL, "Creator Process ID", "ProcessId"},
	{'S', NULL, "Creator Process Name", "ParentProcessName"}, {'S', NULL, "Process Command Line", "CommandLine"}, {'S', NULL, "Process ID", "ProcessId"}, {'S', NULL, "Process Name", "ProcessName"},
	{'S', NULL, "Service Name", "ServiceName"}, {'S', NULL, "Service File Name", "ServiceFileName"}, {'S', NULL, "Service Type", "ServiceType"}, {'S', NULL, "Service Start Type", "ServiceStartType"},
	{'S', NULL, "Service Account", "ServiceAccount"}, {'S', NULL, "Task Name", "TaskName"}, {'S', NULL, "Task Content", "TaskContent"}, {'S', NULL, "Task New Content", "TaskContentNew"},
	{'S', NULL, "Share Name", "ShareName"}, {'S', NULL, "Share Path", "ShareLocalPath"}, {'S', NULL, "Relative Target Name", "RelativeTargetName"}, {'S', NULL, "Access Mask", "AccessMask"},
	{'S', NULL, "Accesses", "AccessList"}, {'S', NULL, "Object Server", "ObjectServer"}, {'S', NULL, "Object Type", "ObjectType"}, {'S', NULL, "Object Name", "ObjectName"},
	{'S', NULL, "Handle ID", "HandleId"}, {'S', NULL, "Properties", "Properties"}, {'S', NULL, "Privileges", "PrivilegeList"}, {'S', NULL, "Operation Type", "OperationType"},
	{'S', NULL, "Object Value Name", "ObjectValueName"}, {'S', NULL, "Old Value", "OldValue"}, {'S', NULL, "New Value", "NewValue"}, {'S', NULL, "SAM Account Name", "SamAccountName"},
	{'S', NULL, "Application Name", "Application"}, {'S', NULL, "Direction", "Direction"}, {'S', NULL, "Destination Address", "DestAddress"}, {'S', NULL, "Destination Port", "DestPort"},
	{'Y', NULL, "Service Name", "ServiceName"}, {'Y', NULL, "Service File Name", "ImagePath"}, {'Y', NULL, "Service Type", "ServiceType"}, {'Y', NULL, "Service Start Type", "StartType"},
	{'Y', NULL, "Service Account", "AccountName"},
};

static const char *field_of(char channel, struct str section, struct str label)
{
	for (size_t i = 0; i < COUNT(labels); i++) {
		if (labels[i].channel != channel || !str_eq(label, str_of(labels[i].label))) continue;
		if (!labels[i].section || str_starts(section, str_of(labels[i].section))) return labels[i].of;
	}
	return NULL;
}

static bool has(const struct win_event *e, const char *name)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (str_eq(e->fields[i].name, str_of(name))) return true;
	return false;
}

/* "Creating Scriptblock text (1 of 2):", the text, "ScriptBlock ID: ..", "Path: ..". */
static void add_script(struct win_event *e, struct str message)
{
	struct str text = message, head = str_cut(&text, '\n');
	size_t end = SIZE_MAX;
	if (!text.p || !str_starts(head, STR("Creating Scriptblock text"))) return;
	for (size_t at = 0; (at = str_find(text, STR("\nScriptBlock ID:"), at)) != SIZE_MAX; at++) end = at;
	struct str behind = end == SIZE_MAX ? (struct str){NULL, 0} : str_sub(text, end + 1, text.n);
	win_add(e, STR("ScriptBlockText"), str_trim(str_sub(text, 0, end)));
	while (behind.p) {
		struct str value = str_cut(&behind, '\n'), label = str_cut(&value, ':');
		if (str_eq(label, STR("ScriptBlock ID"))) win_add(e, STR("ScriptBlockId"), str_trim(value));
		else if (value.p && str_eq(label, STR("Path"))) win_add(e, STR("Path"), str_trim(value));
	}
}

void win_add_shown(struct win_event *e, struct str message)
{
	struct str of = e->sys[WIN_CHANNEL].p ? e->sys[WIN_CHANNEL] : STR(""), section = STR(""), list = {NULL, 0};
	char channel = str_eq(of, STR("Security")) ? 'S' : str_eq(of, STR("System")) ? 'Y' : 0;
	uint32_t list_at = 0;
	if (str_ends(of, STR("PowerShell/Operational")) || str_eq(of, STR("PowerShellCore/Operational"))) add_script(e, message);
	if (!channel) return;
	while (message.p) {
		struct str line = str_cut(&message, '\n');
		if (line.n && line.p[line.n - 1] == '\r') line.n--;
		bool indented = line.n && line.p[0] == '\t';
		struct str rest = str_trim(line);
		size_t colon = str_find_byte(rest, ':', 0);
		/* What goes on with lists (Privileges, Accesses) stands on lines of its own, without labels. */
		if (colon == SIZE_MAX || colon > 40) {
			if (list.p && indented && rest.n) list = (struct str){list.p, (size_t)(rest.p + rest.n - list.p)}, e->fields[list_at].value = list;
			else list.p = NULL;
			continue;
		}
		struct str label = str_sub(rest, 0, colon), value = str_trim(str_sub(rest, colon + 1, rest.n));
		list.p = NULL;
		if (!value.n && !indented) {
			section = label;
			continue;
		}
		if (!indented && !str_eq(label, STR("Logon Type"))) section = STR("");
		const char *field = field_of(channel, section, label);
		if (!field || has(e, field)) continue;
		list = value;
		list_at = e->n;
		win_add(e, str_of(field), value);
	}
}
