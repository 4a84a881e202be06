package decode

import (
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// table is a dataset made ready for decoding.
type table struct {
	block   *sinks.Block
	columns []column
	subject []int     // indexes of the subject columns
	needs   consents  // one of which must be given, or none
	first   FirstDays // records of earlier days are refused
	group   int       // index of the organisation's column; -1 if there is none
	closing bool      // a column needs consents that the whole does not
}

// column appends one column's value.
type column struct {
	to     *sinks.Column
	from   []int // slots, the first present one counts
	append func(d *Decoder, c *column, at time.Time) bool
	min    int64
	max    uint64
	needs  consents
}

// newTable compiles a dataset; slot gives the slot of an input field.
func (d *Decoder) newTable(p *config.Policy, of *config.Dataset, slot func(field string) int) table {
	t := table{block: &sinks.Block{Dataset: of.Name}, needs: needsOf(p, of.Purposes), group: -1}
	if w, ok := of.Window(config.EventTime); ok && !w.TakesLate() {
		t.first = d.resources.FirstDays[of.Name]
	}
	for i := range of.Columns {
		c := &of.Columns[i]
		to := &sinks.Column{Name: c.Name, Type: c.Type.Name(), Nullable: c.Type.Nullable()}
		compiled := column{to: to}
		for _, f := range c.From {
			compiled.from = append(compiled.from, slot(f))
		}
		compiled.appender(c, c.Name == of.Time)
		if c.Name != of.Time {
			compiled.needs = needsOf(p, of.PurposesOf(c))
			t.closing = t.closing || compiled.needs != 0
		}
		if slices.Contains(of.Subject, c.Name) {
			t.subject = append(t.subject, i)
		}
		if c.Name == of.Organisation {
			t.group = i
			if c.Derive != config.DeriveNone { // what is stored is not by what windows name it
				t.first.Of = nil
			}
		}
		t.columns = append(t.columns, compiled)
		t.block.Columns = append(t.block.Columns, to)
	}
	return t
}

// firstDay returns the earliest day that is taken of the record in hand: by the window of
// its organisation, where that has one of its own.
func (t *table) firstDay(d *Decoder) sinks.Day {
	if len(t.first.Of) == 0 || t.group < 0 {
		return t.first.All
	}
	c := &t.columns[t.group]
	if t.closing && !c.needs.met(d.given) { // nobody knows it of the stored record
		return t.first.All
	}
	f := c.value(d)
	if f.kind == absent {
		return t.first.All
	}
	if day, own := t.first.Of[string(d.fields.text(f))]; own {
		return day
	}
	return t.first.All
}

// appendRow appends one row, and returns "", or nothing and the name of the
// column whose value has the wrong type.
func (t *table) appendRow(d *Decoder, at time.Time) (wrong string) {
	close := t.closing && d.given != allConsents
	for i := range t.columns {
		c := &t.columns[i]
		if close && !c.needs.met(d.given) {
			c.to.AppendDefault() // nothing that it serves is consented to
			continue
		}
		if !c.append(d, c, at) {
			for j := range i {
				t.columns[j].to.RemoveLast()
			}
			return c.to.Name
		}
	}
	return ""
}

// appender chooses how the column's values are written.
func (c *column) appender(of *config.Column, isTime bool) {
	to := c.to
	switch of.Type.Name() {
	case "String":
		c.append = appendText
		if of.Type.LowCardinality() {
			to.Type, to.Width, to.Dictionary = of.Type.String(), 2, new(sinks.Dictionary)
		} else if !to.Nullable {
			to.Shorten()
		}
		if of.Derive != config.DeriveNone {
			c.append = appendDerived(of.Derive)
		}
	case "Bool":
		to.Width, c.append = 1, appendBool
	case "Int8", "Int16", "Int32", "Int64":
		to.Width = sizeOf(of.Type.Name()[len("Int"):]) / 8
		c.min, c.max = -1<<(to.Width*8-1), 1<<(to.Width*8-1)-1
		c.append = appendInteger
	case "UInt8", "UInt16", "UInt32", "UInt64":
		to.Width = sizeOf(of.Type.Name()[len("UInt"):]) / 8
		c.max = 1<<(to.Width*8) - 1
		c.append = appendInteger
	case "Float32", "Float64":
		to.Width, c.append = sizeOf(of.Type.Name()[len("Float"):])/8, appendFloat
	case "Date":
		to.Width, c.append = 2, appendDate
	case "DateTime":
		to.Width, to.Type, c.append = 4, "DateTime('UTC')", appendSeconds
	case "DateTime64(3)":
		to.Width, to.Type, c.append = 8, "DateTime64(3, 'UTC')", appendMilliseconds
	}
	switch {
	case isTime:
		c.append = appendEventTime
	case of.Derive == config.DeriveDropped:
		c.append = appendNothing
	}
	if to.Nullable {
		to.Type = "Nullable(" + to.Type + ")"
	}
}

func sizeOf(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// value returns the first of the column's fields that is present.
func (c *column) value(d *Decoder) field {
	for _, slot := range c.from {
		if f := d.fields.at(slot); f.kind != absent {
			return f
		}
	}
	return field{}
}

func appendText(d *Decoder, c *column, _ time.Time) bool {
	f := c.value(d)
	if f.kind == absent {
		c.to.AppendDefault()
		return true
	}
	c.to.AppendString(d.fields.text(f))
	return true
}

func appendBool(d *Decoder, c *column, _ time.Time) bool {
	switch f := c.value(d); f.kind {
	case truth:
		c.to.AppendUint(1)
	case falsehood:
		c.to.AppendUint(0)
	case absent:
		c.to.AppendDefault()
	default:
		return false
	}
	return true
}

// Numbers are not read beyond these lengths: an error of package strconv holds a copy
// of what it could not read.
const (
	safeDigits       = 18 // of any number fit an int
	maxIntegerLength = len("-9223372036854775808")
	maxNumberLength  = 1024
)

func appendInteger(d *Decoder, c *column, _ time.Time) bool {
	f := c.value(d)
	if f.kind == absent {
		c.to.AppendDefault()
		return true
	}
	if f.kind != number || len(f.raw) > maxIntegerLength {
		return false
	}
	if f.raw[0] == '-' {
		v, err := strconv.ParseInt(view(f.raw), 10, 64)
		if err != nil || v < c.min {
			return false
		}
		c.to.AppendUint(uint64(v))
		return true
	}
	if v, ok := digits(f.raw); ok && len(f.raw) <= safeDigits { // nearly all
		if uint64(v) > c.max {
			return false
		}
		c.to.AppendUint(uint64(v))
		return true
	}
	v, err := strconv.ParseUint(view(f.raw), 10, 64)
	if err != nil || v > c.max {
		return false
	}
	c.to.AppendUint(v)
	return true
}

func appendFloat(d *Decoder, c *column, _ time.Time) bool {
	f := c.value(d)
	if f.kind == absent {
		c.to.AppendDefault()
		return true
	}
	if f.kind != number || len(f.raw) > maxNumberLength {
		return false
	}
	v, err := strconv.ParseFloat(view(f.raw), 64)
	if err != nil {
		return false
	}
	c.to.AppendFloat(v)
	return true
}

func appendDate(d *Decoder, c *column, _ time.Time) bool {
	return appendInstant(d, c, func(t time.Time) uint64 { return uint64(sinks.DayOf(t)) })
}

func appendSeconds(d *Decoder, c *column, _ time.Time) bool {
	return appendInstant(d, c, func(t time.Time) uint64 { return uint64(t.Unix()) })
}

func appendMilliseconds(d *Decoder, c *column, _ time.Time) bool {
	return appendInstant(d, c, func(t time.Time) uint64 { return uint64(t.UnixMilli()) })
}

func appendInstant(d *Decoder, c *column, encode func(time.Time) uint64) bool {
	f := c.value(d)
	if f.kind == absent {
		c.to.AppendDefault()
		return true
	}
	t, ok := instant(f)
	if !ok || !storable(t) {
		return false
	}
	c.to.AppendUint(encode(t))
	return true
}

func appendRandom(_ *Decoder, c *column, _ time.Time) bool {
	c.to.AppendString([]byte(sinks.NewID().String()))
	return true
}

func appendEventTime(_ *Decoder, c *column, at time.Time) bool {
	c.to.AppendUint(uint64(at.UnixMilli()))
	return true
}

// view returns b as a string without a copy; b must not change meanwhile.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
