package jobs_test

import (
	"fmt"
	"strings"
)

// benchColumns are 27 columns of a usage table: name, type, place in the call.
// The first is the corrected time of the event.
var benchColumns = [][3]string{
	{"occurred_at", "DateTime64(3)", ""},
	{"call", "LowCardinality(String)", "type"},
	{"name", "LowCardinality(String)", "event"},
	{"user_id", "String", "userId"},
	{"anonymous_id", "String", "anonymousId"},
	{"organisation_id", "String", "context.groupId"},
	{"country", "LowCardinality(String)", "context.location.country"},
	{"region", "LowCardinality(String)", "context.location.region"},
	{"city", "LowCardinality(String)", "context.location.city"},
	{"ip", "String", "context.ip"},
	{"device_id", "String", "context.device.id"},
	{"device_model", "LowCardinality(String)", "context.device.model"},
	{"user_agent", "String", "context.userAgent"},
	{"os", "LowCardinality(String)", "context.os.name"},
	{"os_version", "LowCardinality(String)", "context.os.version"},
	{"platform", "LowCardinality(String)", "context.device.type"},
	{"locale", "LowCardinality(String)", "context.locale"},
	{"time_zone", "LowCardinality(String)", "context.timezone"},
	{"carrier", "LowCardinality(String)", "context.network.carrier"},
	{"on_wifi", "Bool", "context.network.wifi"},
	{"url", "String", "context.page.url"},
	{"referrer", "String", "context.page.referrer"},
	{"title", "String", "context.page.title"},
	{"duration_ms", "Nullable(UInt32)", "properties.duration_ms"},
	{"response_ms", "Nullable(UInt32)", "properties.response_ms"},
	{"visit_ms", "Nullable(UInt32)", "properties.visit_ms"},
	{"exit", "LowCardinality(String)", "properties.exit"},
}

// benchGates makes of benchPolicy a policy with everything that can be asked of every
// record: consent, age, region, and columns that are derived.
var benchGates = strings.NewReplacer(
	"regions: {allowed: [EEA]}", "regions: {allowed: [EEA], exclude: {clause: C10, countries: [XX]}}",
	"[{basis: contract}]}]", `[{basis: consent}], consent: analytics}]
consent: {clause: C8, undecided: refuse}
minimum_age: {under: 18, clause: C9}
pseudonyms: {clause: C2, rotate: P1M}`,
	"from: context.ip,", "from: context.ip, derive: network,",
	"from: context.device.id,", "from: context.device.id, derive: pseudonym,",
	"from: context.userAgent,", "from: context.userAgent, derive: reduced_user_agent,",
	"from: context.page.url,", "from: context.page.url, derive: url_without_query,",
)

// benchPolicy puts every call into one table of benchColumns.
func benchPolicy() []byte {
	var b strings.Builder
	b.WriteString(`
lapse: 1
name: bench
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Bench}
dpo: {name: Bench}
regions: {allowed: [EEA]}
categories: [{id: c, clause: C1, description: d, fields: {f: f}}]
purposes: [{id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}]
quarantine: {keep: P1D, clause: C12, rationale: r}
datasets:
  - name: events
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [track, page, screen, identify, group]}
    subject: [user_id, anonymous_id]
    time: occurred_at
    order_by: [call, name]
    retention: [{trigger: event_time, keep: P13M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: occurred_at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
`)
	for _, c := range benchColumns[1:] {
		identifies := "nobody"
		if c[0] == "user_id" || c[0] == "anonymous_id" {
			identifies = "directly"
		}
		fmt.Fprintf(&b, "      - {name: %s, type: %s, from: %s, field: c.f, identifies: %s}\n", c[0], c[1], c[2], identifies)
	}
	return []byte(b.String())
}

// tuple is the type by which JSONEachRow reads a nested object.
type tuple struct {
	names  []string
	fields map[string]*tuple
	leaf   string
}

func (t *tuple) add(path, leaf string) {
	name, rest, nested := strings.Cut(path, ".")
	if t.fields == nil {
		t.fields = map[string]*tuple{}
	}
	if t.fields[name] == nil {
		t.fields[name] = &tuple{}
		t.names = append(t.names, name)
	}
	if nested {
		t.fields[name].add(rest, leaf)
	} else {
		t.fields[name].leaf = leaf
	}
}

func (t *tuple) String() string {
	if t.leaf != "" {
		return t.leaf
	}
	fields := make([]string, len(t.names))
	for i, n := range t.names {
		fields[i] = n + " " + t.fields[n].String()
	}
	return "Tuple(" + strings.Join(fields, ", ") + ")"
}

// fromJSON is the SELECT by which ClickHouse reads the file itself, and the names
// of its columns.
func fromJSON(file string) (names, query string) {
	root := &tuple{}
	for _, p := range []string{"originalTimestamp", "sentAt", "receivedAt"} {
		root.add(p, "DateTime64(3, 'UTC')")
	}
	root.add("messageId", "String")
	columns, values := []string{"occurred_at"}, []string{"least(receivedAt, receivedAt - toIntervalMillisecond(dateDiff('millisecond', originalTimestamp, sentAt)))"}
	for _, c := range benchColumns[1:] {
		leaf := c[1]
		if inner, ok := strings.CutPrefix(leaf, "LowCardinality("); ok {
			leaf = strings.TrimSuffix(inner, ")")
		}
		root.add(c[2], leaf)
		columns, values = append(columns, c[0]), append(values, c[2])
	}
	structure := make([]string, len(root.names))
	for i, n := range root.names {
		structure[i] = n + " " + root.fields[n].String()
	}
	columns, values = append(columns, "lapse_record"), append(values, "reinterpretAsUUID(sipHash128(messageId))")
	return strings.Join(columns, ", "), fmt.Sprintf(`SELECT %s FROM file('%s', JSONEachRow, '%s')
		SETTINGS date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1, input_format_null_as_default = 1,
			input_format_json_ignore_unknown_keys_in_named_tuple = 1, input_format_json_defaults_for_missing_elements_in_named_tuple = 1,
			max_partitions_per_insert_block = 0`,
		strings.Join(values, ", "), file, strings.ReplaceAll(strings.Join(structure, ", "), "'", `\'`))
}
