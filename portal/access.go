package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Portal is one of the two listeners.
type Portal string

// The two portals.
const (
	Regulator  Portal = "regulator"
	Enterprise Portal = "enterprise"
)

// Roles (code table role).
const (
	ministryRegulator = "ministry_regulator"
	provinceRegulator = "province_regulator"
	plantManager      = "plant_manager"
	plantWorker       = "plant_worker"
	siteAdmin         = "site_admin"     // 系统管理员: gateways, base data, code tables, authorities
	securityAdmin     = "security_admin" // 安全管理员: people, roles, sessions
	auditAdmin        = "audit_admin"    // 审计管理员: the audit, and nothing else
)

var (
	regulators = []string{ministryRegulator, provinceRegulator}
	overseers  = append([]string{siteAdmin}, regulators...)
	plant      = []string{plantManager, plantWorker}
	managers   = []string{plantManager}
	everybody  = append(append([]string{}, overseers...), plant...)
	admin      = []string{siteAdmin}
	security   = []string{securityAdmin}
	auditors   = []string{auditAdmin}
	offices    = slices.Concat(admin, security, auditors)
	// anyone may deal with his own account; everybody above works with the data of plants.
	anyone = slices.Concat(everybody, security, auditors)
)

// rolesOf are the roles a portal lets in.
var rolesOf = map[Portal][]string{Regulator: slices.Concat(overseers, security, auditors), Enterprise: plant}

// scope judges whether a viewer may reach what the path names. It answers "not found" for what the viewer may not know of.
type scope func(s *Server, v *viewer, param func(string) string) error

// Access says who may use a route, and how.
type Access struct {
	ID      string
	Method  string
	Path    string
	Tag     string
	Summary string
	Portals []Portal
	Roles   []string // nil: anybody, without a session
	// What the path names is judged by scope before the handler runs. nil: the route names nothing that belongs to a
	// plant, or it is a list that its handler filters through viewer.sees (Filters).
	scope   scope
	Filters bool
	body    int64 // most bytes of a body, when not the default
	status  int   // of an answer that is no problem, when not the default
	// A change is kept in the audit when it was tried. told: the handler itself writes the entry, in one command with the change.
	told bool
	// personal: the answer holds personal data or leaves the system, so that reading it is kept in the audit too.
	personal bool
	// account: open to those who must first change their password or set up their second factor.
	account bool
}

var both = []Portal{Regulator, Enterprise}
var onlyR = []Portal{Regulator}
var onlyE = []Portal{Enterprise}

// accesses is the one place that says who may do what.
var accesses = []Access{
	{ID: "login", Method: http.MethodPost, Path: "/api/v1/session", Tag: "session", Summary: "Log in", Portals: both, told: true},
	{ID: "login-ways", Method: http.MethodGet, Path: "/api/v1/session/ways", Tag: "session", Summary: "Ways to log in beside login and password", Portals: both},
	{ID: "captcha", Method: http.MethodPost, Path: "/api/v1/session/captcha", Tag: "session", Summary: "A captcha, for a login that was answered captcha", Portals: both, told: true},
	{ID: "captcha-sound", Method: http.MethodGet, Path: "/api/v1/session/captcha/sound", Tag: "session", Summary: "The digits of a captcha, spoken (WAV)", Portals: both},
	{ID: "sso-begin", Method: http.MethodGet, Path: "/api/v1/session/sso", Tag: "session", Summary: "Lead the browser to the provider (OpenID Connect)", Portals: both, status: http.StatusSeeOther},
	{ID: "sso-return", Method: http.MethodGet, Path: "/api/v1/session/sso/return", Tag: "session", Summary: "Where the provider leads the browser back to", Portals: both, told: true, status: http.StatusSeeOther},
	{ID: "sso-state", Method: http.MethodGet, Path: "/api/v1/session/sso/state", Tag: "session", Summary: "How this browser's login by the provider stands", Portals: both},
	{ID: "sso-factor", Method: http.MethodPost, Path: "/api/v1/session/sso", Tag: "session", Summary: "Give the second factor of this site in a login by the provider", Portals: both, told: true},
	{ID: "session", Method: http.MethodGet, Path: "/api/v1/session", Tag: "session", Summary: "Who is logged in", Portals: both, Roles: anyone, account: true},
	{ID: "logout", Method: http.MethodDelete, Path: "/api/v1/session", Tag: "session", Summary: "Log out", Portals: both, Roles: anyone, told: true, account: true},
	{ID: "change-password", Method: http.MethodPost, Path: "/api/v1/session/password", Tag: "session", Summary: "Change one's own password", Portals: both, Roles: anyone, told: true, account: true},
	{ID: "second-factor-offer", Method: http.MethodPost, Path: "/api/v1/session/second-factor/offer", Tag: "session", Summary: "A new second factor, with its picture, shown once", Portals: both, Roles: anyone, account: true},
	{ID: "second-factor", Method: http.MethodPost, Path: "/api/v1/session/second-factor", Tag: "session", Summary: "Put the offered second factor in force; answers recovery codes, shown once", Portals: both, Roles: anyone, told: true, account: true},
	{ID: "second-factor-off", Method: http.MethodPost, Path: "/api/v1/session/second-factor/off", Tag: "session", Summary: "Take one's own second factor off, by password and a code of it", Portals: both, Roles: anyone, told: true},
	{ID: "sessions", Method: http.MethodGet, Path: "/api/v1/sessions", Tag: "session", Summary: "One's own sessions; of anybody, to the security administrator", Portals: both, Roles: anyone},
	{ID: "session-revoke", Method: http.MethodDelete, Path: "/api/v1/sessions/{id}", Tag: "session", Summary: "End a session of one's own; anybody's, to the security administrator", Portals: both, Roles: anyone},
	{ID: "keys", Method: http.MethodGet, Path: "/api/v1/session/keys", Tag: "session", Summary: "One's own keys for machines; anybody's, to the security administrator", Portals: both, Roles: anyone},
	{ID: "key-routes", Method: http.MethodGet, Path: "/api/v1/session/keys/routes", Tag: "session", Summary: "The routes one can give to a key", Portals: both, Roles: everybody},
	{ID: "key-create", Method: http.MethodPost, Path: "/api/v1/session/keys", Tag: "session", Summary: "Make a key for a machine; its secret is shown once", Portals: both, Roles: everybody, told: true},
	{ID: "key-revoke", Method: http.MethodDelete, Path: "/api/v1/session/keys/{id}", Tag: "session", Summary: "End a key of one's own; anybody's, to the security administrator", Portals: both, Roles: anyone, told: true},

	{ID: "overview", Method: http.MethodGet, Path: "/api/v1/overview", Tag: "overview", Summary: "The situation of a region", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "enterprises", Method: http.MethodGet, Path: "/api/v1/enterprises", Tag: "enterprises", Summary: "Enterprises, gravest first", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "enterprise-facets", Method: http.MethodGet, Path: "/api/v1/search/facets", Tag: "enterprises", Summary: "How many enterprises each value of each dimension of a search would leave", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "enterprises-export", Method: http.MethodGet, Path: "/api/v1/search/export", Tag: "enterprises", Summary: "A workbook (Excel) of what a search finds, gravest first", Portals: onlyR, Roles: overseers, Filters: true, personal: true},
	{ID: "saved-searches", Method: http.MethodGet, Path: "/api/v1/search/saved", Tag: "enterprises", Summary: "One's own saved searches, by name", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "saved-search-write", Method: http.MethodPost, Path: "/api/v1/search/saved", Tag: "enterprises", Summary: "Save a search, or change one of one's own", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "saved-search-delete", Method: http.MethodDelete, Path: "/api/v1/search/saved/{id}", Tag: "enterprises", Summary: "Delete a saved search of one's own", Portals: onlyR, Roles: overseers, scope: ownSearchScope},
	{ID: "plant", Method: http.MethodGet, Path: "/api/v1/enterprises/{code}", Tag: "enterprises", Summary: "Everything of one plant", Portals: both, Roles: everybody, scope: enterpriseScope, personal: true},
	{ID: "plant-file", Method: http.MethodGet, Path: "/api/v1/enterprises/{code}/file", Tag: "enterprises", Summary: "All base data of a plant (一企一档), each record with its version", Portals: both, Roles: everybody, scope: enterpriseScope, personal: true},
	{ID: "base-statistics", Method: http.MethodGet, Path: "/api/v1/base/statistics", Tag: "enterprises", Summary: "Plants by region, industry, size, workers exposed to dust and kind of dust, of all or of what a search finds", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "risk", Method: http.MethodGet, Path: "/api/v1/enterprises/{code}/risk", Tag: "risk", Summary: "A plant's risk now", Portals: both, Roles: everybody, scope: enterpriseScope},
	{ID: "risk-history", Method: http.MethodGet, Path: "/api/v1/enterprises/{code}/risk/history", Tag: "risk", Summary: "A plant's earlier judgements, newest first", Portals: both, Roles: everybody, scope: enterpriseScope},
	{ID: "series", Method: http.MethodGet, Path: "/api/v1/series/{metric}", Tag: "series", Summary: "Readings of a metric", Portals: both, Roles: everybody, scope: recordScope("Metric", "metric")},

	{ID: "alarms", Method: http.MethodGet, Path: "/api/v1/alarms", Tag: "alarms", Summary: "Alarms, newest first", Portals: both, Roles: everybody, Filters: true},
	{ID: "alarm-statistics", Method: http.MethodGet, Path: "/api/v1/alarms/statistics", Tag: "alarms", Summary: "Alarms by the figures of EEMUA 191 and ISA-18.2, each held against its limit", Portals: both, Roles: everybody, Filters: true},
	{ID: "alarm-statistics-series", Method: http.MethodGet, Path: "/api/v1/alarms/statistics/series", Tag: "alarms", Summary: "Alarms by hour or day", Portals: both, Roles: everybody, Filters: true},
	{ID: "alarm", Method: http.MethodGet, Path: "/api/v1/alarms/{id}", Tag: "alarms", Summary: "One alarm", Portals: both, Roles: everybody, scope: recordScope("Alarm", "id")},
	{ID: "alarm-action", Method: http.MethodPost, Path: "/api/v1/alarms/{id}/actions", Tag: "alarms", Summary: "A step in an alarm's life cycle", Portals: both, Roles: slices.Concat(regulators, plant), scope: recordScope("Alarm", "id")},
	{ID: "warnings", Method: http.MethodGet, Path: "/api/v1/warnings", Tag: "warnings", Summary: "Risk warnings, newest first", Portals: both, Roles: everybody, Filters: true},
	{ID: "warning", Method: http.MethodGet, Path: "/api/v1/warnings/{id}", Tag: "warnings", Summary: "One risk warning", Portals: both, Roles: everybody, scope: recordScope("Warning", "id")},
	{ID: "warning-action", Method: http.MethodPost, Path: "/api/v1/warnings/{id}/actions", Tag: "warnings", Summary: "A step in a warning's life cycle", Portals: both, Roles: slices.Concat(regulators, plant), scope: recordScope("Warning", "id")},

	{ID: "analysis", Method: http.MethodGet, Path: "/api/v1/analysis", Tag: "analysis", Summary: "Who should be connected, is, and is heard; how good base data and readings are (F2.5)", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "analysis-trend", Method: http.MethodGet, Path: "/api/v1/analysis/trend", Tag: "analysis", Summary: "The same, day by day", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "analysis-findings", Method: http.MethodGet, Path: "/api/v1/analysis/findings", Tag: "analysis", Summary: "Plants, and their records, that a rule of base data finds wanting", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "analysis-issues", Method: http.MethodGet, Path: "/api/v1/analysis/issues", Tag: "analysis", Summary: "Metrics whose readings were not as they should be", Portals: onlyR, Roles: overseers, Filters: true},

	{ID: "reports", Method: http.MethodGet, Path: "/api/v1/reports", Tag: "reports", Summary: "Daily, weekly and monthly reports, newest first (F2.5)", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "report-make", Method: http.MethodPost, Path: "/api/v1/reports", Tag: "reports", Summary: "Make the report of a period that is over and a region; the one there is, where there is one", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "report", Method: http.MethodGet, Path: "/api/v1/reports/{id}", Tag: "reports", Summary: "A report's figures", Portals: onlyR, Roles: overseers, scope: reportScope},
	{ID: "report-export", Method: http.MethodGet, Path: "/api/v1/reports/{id}/export", Tag: "reports", Summary: "A report as PDF or workbook (Excel); of the same report always the same bytes", Portals: onlyR, Roles: overseers, scope: reportScope, personal: true},

	{ID: "shelves", Method: http.MethodGet, Path: "/api/v1/shelves", Tag: "shelves", Summary: "Shelves of alarms, newest first", Portals: both, Roles: everybody, Filters: true},
	{ID: "shelf-create", Method: http.MethodPost, Path: "/api/v1/shelves", Tag: "shelves", Summary: "Ask for alarms to be shelved; a regulator's is approved at once", Portals: both, Roles: slices.Concat(regulators, managers), Filters: true},
	{ID: "shelf", Method: http.MethodGet, Path: "/api/v1/shelves/{id}", Tag: "shelves", Summary: "One shelf", Portals: both, Roles: everybody, scope: recordScope("Shelf", "id")},
	{ID: "shelf-action", Method: http.MethodPost, Path: "/api/v1/shelves/{id}/actions", Tag: "shelves", Summary: "Approve, refuse or end a shelf", Portals: both, Roles: slices.Concat(regulators, managers), scope: recordScope("Shelf", "id")},
	{ID: "rules", Method: http.MethodGet, Path: "/api/v1/rules", Tag: "rules", Summary: "Combined alarm rules", Portals: both, Roles: everybody, Filters: true},
	{ID: "rule-write", Method: http.MethodPost, Path: "/api/v1/rules", Tag: "rules", Summary: "Add or change a combined alarm rule", Portals: both, Roles: slices.Concat(overseers, managers), Filters: true},
	{ID: "rule-delete", Method: http.MethodDelete, Path: "/api/v1/rules/{id}", Tag: "rules", Summary: "Delete a combined alarm rule", Portals: onlyR, Roles: regulators, scope: recordScope("CombinedRule", "id")},
	{ID: "rule-check", Method: http.MethodPost, Path: "/api/v1/rules/check", Tag: "rules", Summary: "Check an expression before it becomes a rule", Portals: both, Roles: slices.Concat(overseers, managers), Filters: true},
	{ID: "limits", Method: http.MethodGet, Path: "/api/v1/metrics/{code}/limits", Tag: "limits", Summary: "Alarm limits of a metric, the defaults with their sources, and who changed them", Portals: both, Roles: everybody, scope: recordScope("Metric", "code")},
	{ID: "limits-write", Method: http.MethodPost, Path: "/api/v1/metrics/{code}/limits", Tag: "limits", Summary: "Change alarm limits: all may tighten, a regulator may relax", Portals: both, Roles: slices.Concat(overseers, managers), scope: recordScope("Metric", "code")},
	{ID: "limits-proposal", Method: http.MethodPost, Path: "/api/v1/metrics/{code}/limits/proposal", Tag: "limits", Summary: "Propose alarm limits from the metric's history; nothing is changed", Portals: both, Roles: slices.Concat(overseers, managers), scope: recordScope("Metric", "code")},

	{ID: "limit-defaults", Method: http.MethodGet, Path: "/api/v1/limits/defaults", Tag: "limits", Summary: "Default alarm limits with their sources", Portals: onlyR, Roles: overseers},
	{ID: "limit-deviations", Method: http.MethodGet, Path: "/api/v1/limits/deviations", Tag: "limits", Summary: "Metrics whose limits are not the defaults, and who made it so", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "limits-tighten", Method: http.MethodPost, Path: "/api/v1/limits/tighten", Tag: "limits", Summary: "Make the limits of many metrics watch nowhere less than their defaults do", Portals: onlyR, Roles: overseers, Filters: true},

	{ID: "channels", Method: http.MethodGet, Path: "/api/v1/channels", Tag: "notifications", Summary: "One's own notification channels", Portals: both, Roles: everybody, Filters: true},
	{ID: "channel-write", Method: http.MethodPost, Path: "/api/v1/channels", Tag: "notifications", Summary: "Add or change a notification channel of one's own", Portals: both, Roles: everybody, Filters: true},
	{ID: "channel-delete", Method: http.MethodDelete, Path: "/api/v1/channels/{id}", Tag: "notifications", Summary: "Delete a notification channel of one's own", Portals: both, Roles: everybody, scope: ownChannelScope},
	{ID: "channel-test", Method: http.MethodPost, Path: "/api/v1/channels/{id}/test", Tag: "notifications", Summary: "Send a test message through a channel of one's own", Portals: both, Roles: everybody, scope: ownChannelScope},
	{ID: "push-key", Method: http.MethodGet, Path: "/api/v1/push-key", Tag: "notifications", Summary: "The key browsers subscribe with", Portals: both, Roles: everybody},
	{ID: "deliveries", Method: http.MethodGet, Path: "/api/v1/deliveries", Tag: "notifications", Summary: "Who was called by which channel and what became of it, newest first", Portals: both, Roles: everybody, Filters: true},

	{ID: "spot-checks", Method: http.MethodGet, Path: "/api/v1/spot-checks", Tag: "spot checks", Summary: "Spot checks, newest first", Portals: both, Roles: everybody, Filters: true},
	{ID: "spot-check-issue", Method: http.MethodPost, Path: "/api/v1/spot-checks", Tag: "spot checks", Summary: "Send a spot check to a plant", Portals: onlyR, Roles: regulators, Filters: true},
	{ID: "spot-check-draw", Method: http.MethodPost, Path: "/api/v1/spot-checks/draw", Tag: "spot checks", Summary: "Draw plants and inspectors at random, by a seed that is kept, and send each plant a spot check", Portals: onlyR, Roles: regulators, Filters: true},
	{ID: "spot-check", Method: http.MethodGet, Path: "/api/v1/spot-checks/{id}", Tag: "spot checks", Summary: "One spot check", Portals: both, Roles: everybody, scope: recordScope("SpotCheck", "id")},
	{ID: "spot-check-action", Method: http.MethodPost, Path: "/api/v1/spot-checks/{id}/actions", Tag: "spot checks", Summary: "A regulator's step in a spot check: a finding, an order to rectify, sent back, closed", Portals: onlyR, Roles: regulators, scope: recordScope("SpotCheck", "id")},
	{ID: "spot-check-answer", Method: http.MethodPost, Path: "/api/v1/spot-checks/{id}/answer", Tag: "spot checks", Summary: "Answer a spot check", Portals: onlyE, Roles: plant, scope: recordScope("SpotCheck", "id")},
	{ID: "cleaning", Method: http.MethodGet, Path: "/api/v1/cleaning", Tag: "cleaning", Summary: "Cleaning plans and check-ins of a plant", Portals: both, Roles: everybody, Filters: true, personal: true},
	{ID: "cleaning-record", Method: http.MethodPost, Path: "/api/v1/cleaning/records", Tag: "cleaning", Summary: "Check a cleaning in", Portals: onlyE, Roles: plant},

	{ID: "attachment-upload", Method: http.MethodPost, Path: "/api/v1/attachments", Tag: "attachments", Summary: "Keep a file", Portals: both, Roles: slices.Concat(regulators, plant), Filters: true, body: maxAttachment + 1},
	{ID: "attachment", Method: http.MethodGet, Path: "/api/v1/attachments/{id}", Tag: "attachments", Summary: "A file's content", Portals: both, Roles: everybody, scope: recordScope("Attachment", "id")},

	{ID: "federation", Method: http.MethodGet, Path: "/api/v1/federation", Tag: "federation", Summary: "This site, its parent and its children", Portals: onlyR, Roles: overseers},
	{ID: "quarantine", Method: http.MethodGet, Path: "/api/v1/quarantine", Tag: "federation", Summary: "What was refused, newest first", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "counts", Method: http.MethodGet, Path: "/api/v1/counts", Tag: "federation", Summary: "How much is here of each site", Portals: onlyR, Roles: overseers},
	{ID: "latency", Method: http.MethodGet, Path: "/api/v1/latency", Tag: "federation", Summary: "From an alarm's onset until it was here", Portals: onlyR, Roles: overseers},
	{ID: "ledger", Method: http.MethodGet, Path: "/api/v1/ledger", Tag: "ledger", Summary: "A page of a ledger", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "ledger-heads", Method: http.MethodGet, Path: "/api/v1/ledger/heads", Tag: "ledger", Summary: "Where each ledger stands", Portals: onlyR, Roles: overseers},
	{ID: "ledger-verify", Method: http.MethodGet, Path: "/api/v1/ledger/verify", Tag: "ledger", Summary: "Recompute a ledger's chain and check its newest signature", Portals: onlyR, Roles: overseers},

	{ID: "records-write", Method: http.MethodPost, Path: "/api/v1/records", Tag: "records", Summary: "Write base data: all changes or none", Portals: both, Roles: append([]string{plantManager}, overseers...), Filters: true},
	{ID: "record-template", Method: http.MethodGet, Path: "/api/v1/records/{type}/template", Tag: "records", Summary: "An empty workbook (Excel) of a type", Portals: both, Roles: append([]string{plantManager}, overseers...)},
	{ID: "record-export", Method: http.MethodGet, Path: "/api/v1/records/{type}/export", Tag: "records", Summary: "A workbook (Excel) of all records of a type", Portals: both, Roles: append([]string{plantManager}, overseers...), Filters: true, personal: true},
	{ID: "record-import", Method: http.MethodPost, Path: "/api/v1/records/{type}/import", Tag: "records", Summary: "Write the records of a workbook (Excel): all or none", Portals: both, Roles: append([]string{plantManager}, overseers...), Filters: true},
	{ID: "records", Method: http.MethodGet, Path: "/api/v1/records/{type}", Tag: "records", Summary: "Records of a type; to a plant, its own base data", Portals: both, Roles: everybody, Filters: true, personal: true},
	{ID: "records-preview", Method: http.MethodPost, Path: "/api/v1/records/preview", Tag: "records", Summary: "What writing base data would lead to: fields, refusals, alarms, hazards and risk; nothing is written", Portals: both, Roles: append([]string{plantManager}, overseers...), Filters: true},
	{ID: "record-versions", Method: http.MethodGet, Path: "/api/v1/records/{type}/{key}/versions", Tag: "records", Summary: "A record's history from the ledger: who changed it, when, and what; newest first", Portals: both, Roles: everybody, scope: versionScope, personal: true},
	{ID: "record-forms", Method: http.MethodGet, Path: "/api/v1/record-forms", Tag: "records", Summary: "What one may configure", Portals: both, Roles: everybody},
	{ID: "reveal", Method: http.MethodPost, Path: "/api/v1/records/{type}/{key}/reveal", Tag: "records", Summary: "The personal data of a record in clear, for a reason that the audit keeps", Portals: onlyR, Roles: regulators, scope: revealScope, told: true},
	{ID: "credential", Method: http.MethodPost, Path: "/api/v1/gateways/{code}/credential", Tag: "administration", Summary: "Give a gateway a new secret, shown once", Portals: onlyR, Roles: admin, scope: recordScope("Gateway", "code"), told: true},
	{ID: "orgs", Method: http.MethodGet, Path: "/api/v1/orgs", Tag: "administration", Summary: "The tree of authorities, those in sight", Portals: onlyR, Roles: slices.Concat(overseers, security), Filters: true},
	{ID: "org-write", Method: http.MethodPost, Path: "/api/v1/orgs", Tag: "administration", Summary: "Add or change an authority", Portals: onlyR, Roles: admin},
	{ID: "org-delete", Method: http.MethodDelete, Path: "/api/v1/orgs/{code}", Tag: "administration", Summary: "Delete an authority that has neither parts nor people", Portals: onlyR, Roles: admin},
	{ID: "users", Method: http.MethodGet, Path: "/api/v1/users", Tag: "administration", Summary: "People, by login", Portals: onlyR, Roles: security, personal: true},
	{ID: "roles", Method: http.MethodGet, Path: "/api/v1/roles", Tag: "administration", Summary: "What each role may do", Portals: onlyR, Roles: slices.Concat(admin, security, auditors)},
	{ID: "user-create", Method: http.MethodPost, Path: "/api/v1/users", Tag: "administration", Summary: "Let a person in", Portals: onlyR, Roles: security, told: true},
	{ID: "user-change", Method: http.MethodPatch, Path: "/api/v1/users/{login}", Tag: "administration", Summary: "Disable a person, move them to another role or place, or give a new password", Portals: onlyR, Roles: security, told: true},
	{ID: "audit", Method: http.MethodGet, Path: "/api/v1/audit", Tag: "audit", Summary: "The audit, newest first", Portals: onlyR, Roles: auditors, personal: true},
	{ID: "audit-export", Method: http.MethodGet, Path: "/api/v1/audit/export", Tag: "audit", Summary: "The audit of a time as CSV", Portals: onlyR, Roles: auditors, personal: true},

	{ID: "tables", Method: http.MethodGet, Path: "/api/v1/tables", Tag: "schema", Summary: "Names of the code tables", Portals: both, Roles: anyone},
	{ID: "table", Method: http.MethodGet, Path: "/api/v1/tables/{name}", Tag: "schema", Summary: "A code table", Portals: both, Roles: anyone},
	{ID: "code-tables", Method: http.MethodGet, Path: "/api/v1/code-tables", Tag: "schema", Summary: "The code tables in force, where they come from, and which fields use them", Portals: onlyR, Roles: overseers},
	{ID: "code-table-preview", Method: http.MethodPost, Path: "/api/v1/code-tables/preview", Tag: "schema", Summary: "What another code table in the place of one would change, and which records would no longer conform", Portals: onlyR, Roles: append([]string{ministryRegulator}, admin...)},
	{ID: "dictionary", Method: http.MethodGet, Path: "/api/v1/dictionary", Tag: "schema", Summary: "The data dictionary", Portals: both, Roles: anyone},
	{ID: "model", Method: http.MethodGet, Path: "/api/v1/model", Tag: "risk", Summary: "The risk model in force", Portals: both, Roles: everybody},
	{ID: "model-evaluate", Method: http.MethodPost, Path: "/api/v1/model/evaluate", Tag: "model service", Summary: "Judge given inputs by the model in force, another version or a draft", Portals: onlyR, Roles: overseers},
	{ID: "model-evaluate-batch", Method: http.MethodPost, Path: "/api/v1/model/evaluate/batch", Tag: "model service", Summary: "Judge many plants' inputs", Portals: onlyR, Roles: overseers},
	{ID: "model-what-if", Method: http.MethodPost, Path: "/api/v1/model/what-if", Tag: "model service", Summary: "A plant as it is, and as it would be with some inputs changed", Portals: both, Roles: slices.Concat(overseers, managers), Filters: true},
	{ID: "model-explain", Method: http.MethodGet, Path: "/api/v1/model/explain/{code}", Tag: "model service", Summary: "Why a plant's level is what it is, and what would lower it", Portals: both, Roles: everybody, scope: enterpriseScope},
	{ID: "model-back-test", Method: http.MethodPost, Path: "/api/v1/model/back-test", Tag: "model service", Summary: "A draft over stored history beside the model in force (a line of JSON for each step)", Portals: onlyR, Roles: overseers, Filters: true},
	{ID: "replay", Method: http.MethodGet, Path: "/api/v1/replay", Tag: "replay", Summary: "An interval of a plant as it was: readings, alarms, risk and what people did", Portals: both, Roles: everybody, Filters: true},
	{ID: "replay-again", Method: http.MethodPost, Path: "/api/v1/replay", Tag: "replay", Summary: "The same judged again, by the model of that time or another, and how it differs", Portals: both, Roles: slices.Concat(overseers, managers), Filters: true},
	{ID: "model-usage", Method: http.MethodGet, Path: "/api/v1/model/usage", Tag: "model service", Summary: "Who used the model service, by day, newest first", Portals: onlyR, Roles: overseers},
	{ID: "models", Method: http.MethodGet, Path: "/api/v1/models", Tag: "risk", Summary: "Every published risk model, and the configured one", Portals: onlyR, Roles: overseers},
	{ID: "model-detail", Method: http.MethodGet, Path: "/api/v1/models/{version}", Tag: "risk", Summary: "A risk model: its document, and every number with where it comes from", Portals: onlyR, Roles: overseers},
	{ID: "model-check", Method: http.MethodPost, Path: "/api/v1/models/check", Tag: "risk", Summary: "What is wrong with a model document, by line", Portals: onlyR, Roles: overseers},
	{ID: "model-publish", Method: http.MethodPost, Path: "/api/v1/models", Tag: "risk", Summary: "Sign a risk model and hand it to all sites (the site at the root)", Portals: onlyR, Roles: regulators},
	{ID: "model-activate", Method: http.MethodPost, Path: "/api/v1/models/{version}/activate", Tag: "risk", Summary: "Put a published risk model in force (the site at the root)", Portals: onlyR, Roles: regulators},
	{ID: "hazards", Method: http.MethodGet, Path: "/api/v1/hazards", Tag: "risk", Summary: "Major hidden dangers (重大事故隐患), newest first", Portals: both, Roles: everybody, Filters: true},
	{ID: "events", Method: http.MethodGet, Path: "/api/v1/events", Tag: "events", Summary: "Changes as they happen (server-sent events)", Portals: both, Roles: everybody, Filters: true},
}

// accessOf finds a route's entry. A route without one is a fault of the program.
func accessOf(id string) Access {
	i := slices.IndexFunc(accesses, func(a Access) bool { return a.ID == id })
	if i < 0 {
		panic(fmt.Sprintf("portal: route %s is not in the table of accesses", id))
	}
	return accesses[i]
}

// viewer is who asks.
type viewer struct {
	user    *schema.User
	userAt  uint64 // entry of the ledger that says who the user is
	session *schema.Session
	key     *schema.ApiKey // a machine's, instead of a session
	portal  Portal
	token   string
	address string
	agent   string
	flow    string // sealed: a login by a provider under way
}

// owned is the plant a viewer is bound to; empty for regulators and administrators.
func (v *viewer) owned() string {
	if v.portal == Enterprise {
		return v.user.GetEnterprise()
	}
	return ""
}

// regionPrefix is what the codes of a region's parts begin with: "320000" is "32", "320500" is "3205", "" is all.
func regionPrefix(region string) string {
	switch {
	case len(region) != 6 || region == "000000":
		return ""
	case strings.HasSuffix(region, "0000"):
		return region[:2]
	case strings.HasSuffix(region, "00"):
		return region[:4]
	}
	return region
}

// area is the prefix of the regions a viewer may see. An administrator sees the whole site.
func (v *viewer) area() string {
	if v.user.GetRole() == siteAdmin {
		return ""
	}
	return regionPrefix(v.user.GetRegion())
}

// within is the beginning of the codes of what a viewer may see in a region; false when that is nothing.
func (v *viewer) within(region string) (string, bool) {
	area, part := v.area(), regionPrefix(region)
	if strings.HasPrefix(area, part) {
		return area, true
	}
	return part, strings.HasPrefix(part, area)
}

// sees says whether a viewer may know of a plant. Data of no plant in particular (enterprise "") is for whoever sees all.
func (s *Server) sees(v *viewer, enterprise string) bool {
	if v.portal == Enterprise {
		return enterprise != "" && enterprise == v.user.GetEnterprise()
	}
	area := v.area()
	if area == "" {
		return true
	}
	region, ok := s.world.regionOf(enterprise)
	return ok && strings.HasPrefix(region, area)
}

// seesIn says whether a viewer may know of a plant and it lies in a region, given by the beginning of its plants' codes.
func (s *Server) seesIn(v *viewer, enterprise, region string) bool {
	if !s.sees(v, enterprise) {
		return false
	}
	if region == "" {
		return true
	}
	at, ok := s.world.regionOf(enterprise)
	return ok && strings.HasPrefix(at, region)
}

// enterpriseOf is the plant a record belongs to; empty when it is of none.
func enterpriseOf(r schema.Record) string {
	switch r := r.(type) {
	case nil:
		return ""
	case *schema.Enterprise:
		return r.GetCode()
	case interface{ GetEnterprise() string }:
		return r.GetEnterprise()
	}
	return ""
}

// ofPlants says whether records of the type belong to a plant.
func ofPlants(typ string) bool {
	m, ok := schema.MetaOf(typ)
	if !ok {
		return false
	}
	fd := m.Field("enterprise")
	return typ == "Enterprise" || fd != nil && fd.Kind() == protoreflect.StringKind
}

func enterpriseScope(s *Server, v *viewer, param func(string) string) error {
	_, err := s.enterpriseRow(v, param("code"))
	return err
}

// enterpriseRow reads an enterprise a viewer may see.
func (s *Server) enterpriseRow(v *viewer, code string) (store.Row, error) {
	return s.record(v, "Enterprise", code)
}

// recordScope lets those through who may see the record's plant.
func recordScope(typ, name string) scope {
	return func(s *Server, v *viewer, param func(string) string) error {
		_, err := s.record(v, typ, param(name))
		return err
	}
}

// record reads a row a viewer may see; for all others it is not there.
func (s *Server) record(v *viewer, typ, key string) (store.Row, error) {
	row, ok, err := s.opt.Backend.Store().Get(typ, key)
	if err != nil {
		return row, fmt.Errorf("read %s: %w", typ, err)
	}
	if !ok || !s.sees(v, enterpriseOf(row.Record)) {
		return row, notFound(typ, key)
	}
	return row, nil
}

// allows says whether a role may take a step of a life cycle. Plants work an alarm, regulators judge the work.
func allows(typ, action, role string) bool {
	return slices.Contains(steps[typ][action], role)
}

var steps = map[string]map[string][]string{
	"Alarm": {
		"acknowledge": plant, "dispose": plant, "feed_back": {plantManager},
		"close": regulators, "reject": regulators, "false_alarm": regulators,
	},
	"Warning":   {"dispose": plant, "feed_back": {plantManager}, "accept": regulators, "reject": regulators},
	"SpotCheck": {"find": regulators, "order": regulators, "reject": regulators, "close": regulators},
	"Shelf":     {"approve": regulators, "refuse": regulators, "end": slices.Concat(regulators, managers)},
}
