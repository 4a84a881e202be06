package clickhouse

import (
	"fmt"
	"strings"

	"github.com/facesoft/lapse/config"
)

// commonQuery is what the statement is rendered from that finds the values of one column
// that people enough have.
type commonQuery struct {
	G           *generalisation // with that one value
	WithSubject bool
	Least       int64 // people
}

// other is what becomes of rare values.
const other = "'other'"

// common compiles a level that leaves what the level before it gives where enough people
// of the partition have it, and makes "other" of the rest. The people are counted by the
// statement that generalises, so that what is rare is so in each partition by itself.
func (g *generalisation) common(published config.PublishedColumn, level int, from *config.Column) string {
	before := level - 1
	for before >= 0 && published.Levels[before].Name == config.Rare { // that leaves what this level leaves
		before--
	}
	value := fmt.Sprintf("ifNull(toString(%s), '')", quote(from.Name))
	if before >= 0 {
		value = fmt.Sprintf("toString(%s)", g.transform(published, before, from))
	}
	of := &generalisation{Personal: g.Personal, Time: g.Time, Subject: g.Subject, Expressions: []string{value}}
	common, err := render("common_values", &commonQuery{G: of, WithSubject: true, Least: published.Levels[level].Numbers[0]})
	if err != nil {
		panic(err) // both are the program's own
	}
	return fmt.Sprintf("if((toString(lapse_rows._partition_id), %[1]s) IN (\n%[2]s\n), %[1]s, %[3]s)", value, common, other)
}

// beforeQuery compiles the different beginnings of URLs, up to what may follow their path:
// what is done with them is done once for each, not for each row.
func beforeQuery(c string) string {
	return fmt.Sprintf("toLowCardinality(cutQueryStringAndFragment(%s))", c)
}

// withoutQuery compiles a URL without what may follow its path, and without a user name
// and password in it. It becomes valid UTF-8, or the expression would not find past a byte
// of a password that is not.
func withoutQuery(c string) string {
	return fmt.Sprintf(`replaceRegexpOne(toValidUTF8(%s), '^([^/]*//)[^/]*@', '\\1')`, beforeQuery(c))
}

// pathOf compiles the path of a URL, or of what is a path already, byte by byte. ClickHouse's
// own path() would begin with the first "/" behind the host, be it in the query.
func pathOf(c string) string {
	return fmt.Sprintf(`replaceRegexpOne(%s, '^[^/]*://\\C*?(/|$)', '\\1')`, beforeQuery(c))
}

// route compiles a path with ":id" for each segment that stands for one thing among many: a
// number, a long token with digits, anything with an "@", anything long. Each segment gets
// an end of its own meanwhile, and the expression can match in one way alone: with
// captures, or choices of where a token's digit is, it takes up to 28 times as long.
func route(c string) string {
	const end = "\x01"
	const variable = "/(?:[0-9]+|[A-Za-z_-]*[0-9][0-9A-Za-z_-]{15,}|[^/" + end + "]*@[^/" + end + "]*|[^/" + end + "]{40,})" + end
	replaceAll := func(text, what, by string) string {
		return fmt.Sprintf("replaceAll(%s, %s, %s)", text, literal(what), literal(by))
	}
	text := replaceAll(fmt.Sprintf("replaceRegexpOne(toValidUTF8(%s), '^[^/]*://[^/]*', '')", beforeQuery(c)), end, "")
	text = fmt.Sprintf("concat('/', %s, %s)", replaceAll(text, "/", end+"/"), literal(end))
	text = fmt.Sprintf("replaceRegexpAll(%s, %s, %s)", text, literal(variable), literal("/:id"+end))
	return fmt.Sprintf("substring(%s, 2)", replaceAll(text, end, ""))
}

// hostOf compiles the host of a URL, and for an address "(address)": the four numbers of
// IPv4, or what has a colon, which no name of a host has. One function of one column is
// worked out for its different values; a condition on them would be for each row.
func hostOf(c string) string {
	const number = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
	const address = "^(?:(?:" + number + "[.]){3}" + number + "|.*:.*)$"
	return fmt.Sprintf("replaceRegexpOne(domain(toLowCardinality(%s)), %s, '(address)')", c, literal(address))
}

// gridCell compiles the lower edge of the cell that a number lies in. It is worked out in
// whole numbers, so that 51.3 lies in the cell of 51.3 and not of 51.2.
func gridCell(t config.Transform, c string) string {
	step, parts := t.GridStep()
	return fmt.Sprintf("toString(floor(%s * %d / %d) * %d / %d + 0)", c, parts, step, step, parts)
}

// joined compiles the values of several columns as one, as "GB/England/London".
func joined(columns []string) string {
	texts := make([]string, len(columns))
	for i, name := range columns {
		texts[i] = fmt.Sprintf("toString(%s)", quote(name))
	}
	return fmt.Sprintf("arrayStringConcat([%s], '/')", strings.Join(texts, ", "))
}
