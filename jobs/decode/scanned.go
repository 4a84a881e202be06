package decode

// Scanner finds out what stands where in lines, before the Decoder that it comes from
// decodes them: each may work in a goroutine of its own. It is not safe for use by several
// at once.
type Scanner struct {
	fields  fields
	extract func(line []byte) Reason
	slots   int // of a line
}

// Scanned is what a Scanner has found in some lines. It does not hold the lines. The zero
// Scanned is ready for use.
type Scanned struct {
	reasons []Reason
	spans   []span // of one line after the other, by slot
	record  uint32 // what the spans carry that belong to the present lines
}

// Scanner returns a new scanner of the decoder's format.
func (d *Decoder) Scanner() *Scanner {
	s := &Scanner{slots: len(d.fields.slots)}
	s.extract = d.extractor(&s.fields)
	return s
}

// Reset makes room for other lines.
func (s *Scanned) Reset() {
	s.reasons = s.reasons[:0]
	s.record++
	if s.record == 0 { // after 2^32 times, old marks would be taken for new ones
		clear(s.spans)
		s.record = 1
	}
}

// Len returns how many lines there are.
func (s *Scanned) Len() int { return len(s.reasons) }

// Scan reads another line.
func (s *Scanner) Scan(line []byte, to *Scanned) {
	if to.record == 0 {
		to.Reset()
	}
	from, end := to.Len()*s.slots, (to.Len()+1)*s.slots
	if end > len(to.spans) {
		to.spans = append(to.spans, make([]span, max(end-len(to.spans), len(to.spans)))...)
	}
	s.fields.line, s.fields.slots, s.fields.record = line, to.spans[from:end], to.record
	to.reasons = append(to.reasons, s.extract(line))
}

// Scanned is Records for a line that has been scanned, the one with index i.
func (d *Decoder) Scanned(of *Scanned, i int, line []byte, from Origin, each func(record []byte, from Origin, fate Fate)) {
	slots, record := d.fields.slots, d.fields.record
	d.fields.line, d.fields.record = line, of.record
	d.fields.slots = of.spans[i*len(slots) : (i+1)*len(slots)]
	fate := d.decide(of.reasons[i], line, from)
	d.fields.slots, d.fields.record = slots, record
	if fate.Reason == batchBody {
		d.Records(line, from, each)
		return
	}
	each(line, from, fate)
}
