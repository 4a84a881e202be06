package clickhouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/facesoft/lapse/config"
)

// rowCopy says what is copied of the rows of a dataset in order to publish them: every
// value that could be published, at any level, worked out once; and in place of who the
// rows are about, hashes. All that decides about a publication is done on the copy.
//
// A class of rows is known by the exclusive or of hashes, one for each column (Zobrist, A
// New Hashing Method with Application for Game Playing, 1970): what is hashed are the few
// different values of a column and not those of every row, and a vector of the chain
// changes only the columns in which it differs. Two classes with the same code would be
// taken for one, so the check after publication uses other hashes, under a random key.
type rowCopy struct {
	Columns   []copiedColumn
	Whos      []string // per subject column, the strongest first: the hash of who it names, 0 for nobody
	Links     []copiedLink
	Subject   string   // who a row is about
	Classes   []string // per vector: the code of the class
	Cell      string   // the code of the classes at all vectors
	Checks    []string // per vector: the code of the class under a random key
	Texts     [][]int  // per vector: the indexes in TextFlags of its texts
	TextFlags []string // per text that could be published: whether it is tainted
}

// copiedColumn is a column of the copy.
type copiedColumn struct {
	Name       string
	Expression string // over the personal row
	Type       string
}

// copiedLink ties a weaker identifier to the strongest that it is seen with.
type copiedLink struct {
	Who      string // the weaker, in the copy
	Alias    string
	Stronger string // expression over the copy
}

// codeOf compiles the exclusive or of 64-bit hashes.
func codeOf(hashes ...string) string {
	code := hashes[0]
	for _, h := range hashes[1:] {
		code = fmt.Sprintf("bitXor(%s, %s)", code, h)
	}
	return code
}

// Kinds of what is hashed, so that the same text is another thing in each.
const (
	hashedText = 1000 // below are the class columns
	hashedIn   = 1001 // a partition
	fixedKey   = "toUInt64(0)"
	randomKey  = "{key:UInt64}"
)

// hashOf compiles SipHash-2-4 of a text.
func hashOf(kind int, key, text string) string {
	return fmt.Sprintf("sipHash64Keyed((toUInt64(%d), %s), %s)", kind, key, text)
}

// classHash compiles the hash of a value of a class column. Numbers and times, of which
// there is one for each row and not one for each different value, are only mixed.
func classHash(column int, of config.Kind, key, value string) string {
	if of == config.Text {
		return hashOf(column, key, value)
	}
	return fmt.Sprintf("intHash64(bitXor(reinterpretAsUInt64(%s), %s))", value, hashOf(column, key, "''"))
}

// inPartition compiles the hash of the partition, which is part of each code.
func inPartition(key, partition string) string { return hashOf(hashedIn, key, partition) }

// textHash compiles what a text of a partition is known by.
func textHash(partition, text string) string {
	return hashOf(hashedText, fixedKey, text) + " + " + inPartition(fixedKey, partition)
}

// anythingOf compiles what stands for every value alike, of a column's type: beside a text
// of another type the dictionaries of the values themselves would be lost, and made anew.
func anythingOf(as string) string { return fmt.Sprintf("CAST(%s, %s)", anything, literal(as)) }

const copiedPartition = "lapse_partition"

// compileCopy writes down the copy, and each published column as what of the copy it is
// at each vector.
func (g *generalisation) compileCopy(d *config.Dataset) {
	vectors := d.Publish.Vectors()
	hashes := make([][]string, len(vectors))
	g.Copy.Texts = make([][]int, len(vectors))
	class := 0
	for _, c := range d.Publish.Columns {
		from, _ := d.Column(c.From)
		result := c.ResultType(from.Type)
		v := publishedValue{Name: quote(c.Name), InClass: c.InClass(), Kind: result.Kind()}
		if !v.InClass {
			v.Levels = slices.Repeat([]string{g.copied("lapse_measure", quote(c.From), storedType(from.Type))}, len(vectors))
			g.Values = append(g.Values, v)
			continue
		}
		for i, vector := range vectors {
			value := anythingOf(storedType(result))
			if c.Levels[vector[class]].Name != config.Any {
				value = g.copied("lapse_value", g.transform(c, vector[class], from), storedType(result))
				if from.Type.Kind() == config.Text {
					g.Copy.Texts[i] = append(g.Copy.Texts[i], g.text(value))
				}
			}
			hashes[i], v.Levels = append(hashes[i], classHash(class, result.Kind(), fixedKey, value)), append(v.Levels, value)
		}
		g.Values, class = append(g.Values, v), class+1
	}
	g.compileCodes(hashes)
	g.compileSubject(d)
}

// compileCodes writes down the codes of the classes from the hashes of their columns at
// each vector.
func (g *generalisation) compileCodes(hashes [][]string) {
	g.Copy.Classes = codesAt("lapse_class", inPartition(fixedKey, copiedPartition), hashes)
	var cell []string
	for i := range g.Copy.Classes {
		cell = append(cell, fmt.Sprintf("%d * lapse_class_%d", 2*i+1, i)) // odd factors lose nothing
	}
	g.Copy.Cell = strings.Join(cell, " + ")
}

// codesAt compiles the codes of the classes at each vector, each in terms of the one before,
// which has a name with its number.
func codesAt(name, partition string, hashes [][]string) (codes []string) {
	for i, at := range hashes {
		code := append([]string{partition}, at...)
		if i > 0 {
			code = []string{fmt.Sprintf("%s_%d", name, i-1)}
			for column, hash := range at {
				if before := hashes[i-1][column]; before != hash {
					code = append(code, before, hash)
				}
			}
		}
		codes = append(codes, codeOf(code...))
	}
	return codes
}

// copied returns the name of a column of the copy, which is made if it is not there yet.
func (g *generalisation) copied(prefix, expression, as string) string {
	i := slices.IndexFunc(g.Copy.Columns, func(c copiedColumn) bool { return c.Expression == expression && c.Type == as })
	if i < 0 {
		i = len(g.Copy.Columns)
		g.Copy.Columns = append(g.Copy.Columns, copiedColumn{fmt.Sprintf("%s_%d", prefix, i), expression, as})
	}
	return g.Copy.Columns[i].Name
}

// text returns the index of the flag that says whether a text of the copy is tainted.
func (g *generalisation) text(value string) int {
	flag := textHash("lapse_rows."+copiedPartition, "toString("+value+")")
	i := slices.Index(g.Copy.TextFlags, flag)
	if i < 0 {
		i = len(g.Copy.TextFlags)
		g.Copy.TextFlags, g.DistinctTexts = append(g.Copy.TextFlags, flag), append(g.DistinctTexts, value)
	}
	return i
}

// compileSubject writes down who a row of the copy is about: the first subject column
// that names somebody, or what a weaker one is tied to within the partition. Rows
// without any count as one person together, which can only lower the count.
func (g *generalisation) compileSubject(d *config.Dataset) {
	var branches, stronger []string
	for i, name := range d.Subject {
		who, column := fmt.Sprintf("lapse_who_%d", i), quote(name)
		g.Copy.Whos = append(g.Copy.Whos, fmt.Sprintf("if(%s = '', 0, %d * xxh3(%s) + %s)", column, 2*i+1, column, inPartition(fixedKey, copiedPartition)))
		if i > 0 {
			l := copiedLink{Who: who, Alias: fmt.Sprintf("lapse_tie_%d", i), Stronger: fmt.Sprintf("multiIf(%s, 0)", strings.Join(stronger, ", "))}
			g.Copy.Links = append(g.Copy.Links, l)
			tied := l.Alias + ".lapse_stronger"
			branches = append(branches, tied+" != 0", tied)
		}
		branches = append(branches, who+" != 0", who)
		stronger = append(stronger, who+" != 0", who)
	}
	g.Copy.Subject = fmt.Sprintf("multiIf(%s, 0)", strings.Join(branches, ", "))
}

// compileChecks writes down the codes of classes under a random key: of a row of the copy
// at each vector, and of a published row.
func (g *generalisation) compileChecks() {
	var published []string
	hashes := make([][]string, len(g.Copy.Classes))
	class := 0
	for _, v := range g.Values {
		if !v.InClass {
			continue
		}
		published = append(published, classHash(class, v.Kind, randomKey, v.Name))
		for i := range hashes {
			hashes[i] = append(hashes[i], classHash(class, v.Kind, randomKey, v.Levels[i]))
		}
		class++
	}
	g.PublishedClass = codeOf(append(published, inPartition(randomKey, "_partition_id"))...)
	g.Copy.Checks = codesAt("lapse_check", inPartition(randomKey, copiedPartition), hashes)
}
