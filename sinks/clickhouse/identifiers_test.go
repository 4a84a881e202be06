package clickhouse_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// awkward are texts that break what is put together carelessly: statements, words,
// lines, paths.
var awkward = map[string]string{
	"single quotes":        `o'hara' OR '1'='1`,
	"double quotes":        `the "boss"`,
	"back quotes":          "`user`",
	"backslashes":          `DOMAIN\jane\'`,
	"NUL":                  "a\x00b",
	"a NUL alone":          "\x00",
	"newlines":             "two\nlines\r\nand\ttabs",
	"not UTF-8":            "caf\xe9\xff\xfe",
	"half a rune":          "jos\xc3",
	"letters with accents": "josé.müller",
	"another script":       "Дмитрий",
	"wide characters":      "山田太郎",
	"no letters":           "😀😀",
	"a pipe":               "auth0|5f7c8ec7c33c6c004bbafe82",
	"blanks":               "Jane Q. Public",
	"a comment":            "jane'); DROP TABLE visits; --",
	"braces":               "{user:String}",
	"a placeholder":        "?$1%s%d",
	"percent":              "100%25",
	"a plus":               "jane+news",
	"a slash":              "org/jane",
	"an address":           "2001:db8::8a2e:370:7334",
	"upper case":           "JANE.DOE",
	"one character":        "x",
	"nothing but signs":    "-?!",
	"very long":            strings.Repeat("0123456789abcdef", 60),
}

func TestAwkwardIdentifiersTellPeopleApart(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	for _, id := range awkward {
		for range 2 {
			rows = append(rows, visit{user: id, path: "/p", country: "GB"}, visit{visitor: id, path: "/q", country: "GB"})
		}
	}
	rows = append(rows, visit{user: "0:x", visitor: "1:x"}, visit{user: "1:x", visitor: "0:x"}) // as the program marks them itself
	insert(t, s, 1, rows)
	p := publish(t, s, day(0))[day(0)]
	// As a user and as a visitor nobody is known to be the same.
	if want := uint64(2*len(awkward) + 2); p.Subjects != want {
		t.Errorf("%d people, want %d", p.Subjects, want)
	}
	got := query(t, o, "SELECT page, count() FROM visits GROUP BY page ORDER BY page")
	if len(got) != 2 || got[0][1] != uint64(2*len(awkward)) || got[1][1] != uint64(2*len(awkward)) {
		t.Errorf("published %v", got)
	}
}

func TestAwkwardValuesArePublishedAsTheyAre(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	want := map[string]int{}
	for _, value := range awkward {
		path := "/" + value
		for i := range 3 {
			rows = append(rows, visit{user: fmt.Sprint("somebody", i), path: path, country: value})
		}
		page, _, _ := strings.Cut(path, "?") // up to the query
		want[page+"|"+value] += 3
	}
	insert(t, s, 1, rows)
	if p := publish(t, s, day(0))[day(0)]; int(p.Published) != len(rows) || p.Generalised != 0 {
		t.Errorf("%d of %d rows published, %d generalised", p.Published, len(rows), p.Generalised)
	}
	for _, row := range query(t, o, "SELECT page, country, count() FROM visits GROUP BY ALL") {
		class := fmt.Sprint(row[0], "|", row[1])
		if want[class] != int(row[2].(uint64)) {
			t.Errorf("%q: %d rows, want %d", class, row[2], want[class])
		}
		delete(want, class)
	}
	for class := range want {
		t.Errorf("%q was not published", class)
	}
}

// Enough people have been on the page for it to be published, but it names one of
// them, in whatever spelling.
func TestAwkwardIdentifiersAreFoundWithinTexts(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	named := map[string]string{}
	for name, id := range awkward {
		if name == "nothing but signs" || name == "a NUL alone" { // they are no words
			continue
		}
		for spelling, text := range map[string]string{
			"as it is": id, "escaped": url.PathEscape(id), "all escaped": escapeAll(id), "in small letters": strings.ToLower(id),
		} {
			for form, path := range map[string]string{
				"alone": "/" + text, "within": "/people/" + text + "/inbox", "with a suffix": "/people/" + text + ".html", "in brackets": "/x(" + text + ")",
			} {
				path, _, _ = strings.Cut(path, "?") // what follows is not published
				if !strings.Contains(path, text) || spelling == "in small letters" && !utf8.ValidString(id) {
					continue
				}
				named[path] = strings.Join([]string{name, spelling, form}, ", ")
				rows = append(rows, visit{user: id, path: path, country: "GB"})
				for i := range 3 {
					rows = append(rows, visit{user: fmt.Sprint("somebody", i), path: path, country: "GB"})
				}
			}
		}
	}
	insert(t, s, 1, rows)
	publish(t, s, day(0))
	for _, row := range query(t, o, "SELECT DISTINCT page FROM visits") {
		if who, found := named[row[0].(string)]; found {
			t.Errorf("%s: %q was published", who, row[0])
		}
	}
}

// escapeAll escapes every byte for a URL.
func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// Memory is bounded by not looking through what is longer than any page's address.
func TestTextTooLongToLookThroughIsNotPublished(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	for _, path := range []string{"/" + strings.Repeat("a", 1000), "/" + strings.Repeat("a/", 50), "/b" + strings.Repeat("/", 2000), "/b" + strings.Repeat("/c", 100), "/b/" + strings.Repeat("a", 1<<20)} {
		for i := range 3 {
			rows = append(rows, visit{user: fmt.Sprint("somebody", i), path: path})
		}
	}
	insert(t, s, 1, rows)
	publish(t, s, day(0))
	// The last three are published as sections.
	got := query(t, o, "SELECT length(page) AS n, count() FROM visits GROUP BY n ORDER BY count(), n")
	if want := "[[101 3] [1001 3] [2 9]]"; fmt.Sprint(got) != want {
		t.Errorf("lengths published: %v, want %s", got, want)
	}
}

// An identifier is looked for as whole words: u1 is not found in u12.
func TestWordsThatOnlyResembleIdentifiersArePublished(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	paths := []string{"/u12/x", "/au1", "/josef", "/jose-mueller", "/100", "/auth0/5f7c", "/jane"}
	var rows []visit
	for _, path := range paths {
		for _, id := range []string{"u1", "josé", "jose müller", "100%25", "auth0|5f7d", "jane doe"} {
			rows = append(rows, visit{user: id, path: path})
		}
	}
	insert(t, s, 1, rows)
	publish(t, s, day(0))
	if got := query(t, o, "SELECT DISTINCT page FROM visits"); len(got) != len(paths) {
		t.Errorf("published %v, want %v", got, paths)
	}
}

// Rows are written before their texts have been looked through, as long as those of the
// dataset name nobody. Where one does, all is decided again: it ends as it would have.
func TestWhatIsWrittenBeforeANameIsFoundIsWrittenAgain(t *testing.T) {
	t.Parallel()
	s, o, taken := recording(t)
	paths := []string{"/people/all", "/people/u1", "/people/u1", "/people/all", "/people/all"}
	var rows []visit
	for n, path := range paths {
		for i := range 5 {
			rows = append(rows, visit{day: n, user: fmt.Sprint("u", i), path: path, country: "GB"})
		}
	}
	insert(t, s, 1, rows)
	for n, want := range []struct {
		written int
		first   string // of looking through the texts and deciding
		pages   string
	}{
		{1, "fill_cells", "[[0 /people/all 5]]"},
		{2, "fill_cells", "[[1 /people 5]]"},
		{1, "match_texts", "[[1 /people 5]]"},
		{1, "match_texts", "[[0 /people/all 5]]"},
		{1, "fill_cells", "[[0 /people/all 5]]"},
	} {
		if p := publish(t, s, day(n))[day(n)]; p.Published != 5 || p.Subjects != 5 || p.K.Smallest != 5 {
			t.Errorf("day %d: %d rows published, of %d people, in classes of %d", n, p.Published, p.Subjects, p.K.Smallest)
		}
		statements := taken()
		written := occurrences(statements, "stage_rows")
		first := slices.IndexFunc(statements, func(name string) bool { return name == "match_texts" || name == "fill_cells" })
		if written != want.written || statements[first] != want.first {
			t.Errorf("day %d: the rows were written %d times, after %s; want %d times, after %s", n, written, statements[first], want.written, want.first)
		}
		pages := fmt.Sprintf("SELECT toString(lapse_level), page, count() FROM visits WHERE day = '%s' GROUP BY ALL", day(n).Day)
		if got := fmt.Sprint(query(t, o, pages)); got != want.pages {
			t.Errorf("day %d: published %s, want %s", n, got, want.pages)
		}
	}
}

// Of many texts the words are looked up block by block.
func TestNamesAreFoundAmongManyTexts(t *testing.T) {
	t.Parallel()
	const texts = 1100
	s, o := store(t)
	var rows []visit
	for n := range texts {
		for i := range 3 {
			path := fmt.Sprint("/p", n)
			if n%100 == 7 {
				path = fmt.Sprintf("/p%d/u%d", n, i)
			}
			rows = append(rows, visit{user: fmt.Sprint("u", i), path: path, country: "GB"}, visit{user: fmt.Sprint("w", i), path: path, country: "GB"})
			if n%100 == 7 { // whom nobody is named after
				rows = append(rows, visit{user: fmt.Sprint("x", i), path: path, country: "GB"})
			}
		}
	}
	insert(t, s, 1, rows)
	if p := publish(t, s, day(0))[day(0)]; p.Published != uint64(len(rows)) {
		t.Errorf("%d rows of %d are published", p.Published, len(rows))
	}
	got := query(t, o, "SELECT uniqExact(page), countIf(page LIKE '/p%/u%') FROM visits WHERE lapse_level = 0")
	if want := "[[1089 0]]"; fmt.Sprint(got) != want {
		t.Errorf("%v different pages and those that name somebody, want %s", got, want)
	}
}
