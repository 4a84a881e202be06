package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// Ingest takes input files into the personal tables.
//
// For every file, and for every day in it, the records read are exactly those
// stored, quarantined, refused and recognised as duplicates. A file whose content
// was ingested before is not read again; a record that was stored before, by its
// message id or its place in a log, is not stored again.
type Ingest struct {
	Policy *config.Policy
	Inputs sinks.Inputs
	Intake sinks.Intake
	Ledger sinks.SourceLedger
	Locks  sinks.Locker
	// Keys, Country and Gate are what decoding uses beside the policy; see
	// decode.Resources. Those that the policy does not ask for may be nil.
	Keys    sinks.Keyring
	Country func(netip.Addr) string
	Gate    sinks.Gate
	// Format is that of all files. If it is empty it is told by their content.
	Format config.InputFormat
	// Progress is told how many bytes of input have been read, by a goroutine that reads
	// ahead, one at a time. It may be nil.
	Progress func(bytes int64)

	files map[sinks.ID]sinks.InputFile // by content digest
	known recordFilter                 // records that may be stored

	unwanted map[string]uint64 // fields that no purpose covers
}

var _ Job = (*Ingest)(nil)

// Kind implements Job.
func (*Ingest) Kind() sinks.JobKind { return sinks.JobIngest }

// Batch implements Job: a file at a time.
func (*Ingest) Batch([]Step) int { return 1 }

// Parallel implements Job: whether a record is a duplicate depends on what has been
// stored before it.
func (*Ingest) Parallel() int { return 1 }

// Plan implements Job. It reads every input file once, to know its content.
func (j *Ingest) Plan(ctx context.Context, _ time.Time) ([]Step, error) {
	files, err := j.Inputs.List(ctx)
	if err != nil {
		return nil, err
	}
	j.files = make(map[sinks.ID]sinks.InputFile, len(files))
	var steps []Step
	for _, f := range files {
		digest, err := contentDigest(ctx, j.Inputs, f)
		if errors.Is(err, sinks.ErrSourceMissing) {
			continue // it was moved away since it was listed
		}
		if err != nil {
			return nil, err
		}
		if _, again := j.files[digest]; again {
			continue
		}
		j.files[digest] = f
		known, found, err := j.Ledger.Source(ctx, digest)
		if err != nil {
			return nil, err
		}
		if found && known.State == sinks.SourceComplete {
			continue
		}
		steps = append(steps, sourceStep(digest, f, "has not been read"))
	}
	pending, err := j.Ledger.Pending(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range pending { // what waits for them must not wait for ever
		if _, listed := j.files[s.Digest]; !listed {
			steps = append(steps, sourceStep(s.Digest, inputOf(s), "was being read when a run was interrupted"))
		}
	}
	return steps, nil
}

func sourceStep(digest sinks.ID, f sinks.InputFile, reason string) Step {
	return Step{
		ID: sinks.HashID(string(sinks.ActionIngestSource), digest.String()), Action: sinks.ActionIngestSource,
		Source: digest, Bytes: uint64(f.Bytes), Clause: "C1", Reason: f.Path + " " + reason,
	}
}

// inputOf returns where a source lay when it was read, as long as it was then.
func inputOf(s sinks.Source) sinks.InputFile {
	return sinks.InputFile{Path: s.Path, Bytes: int64(s.Bytes), Format: s.Format}
}

// Execute implements Job.
func (j *Ingest) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		o, err := j.source(ctx, in, s)
		if err != nil {
			o = failed(s, err)
		}
		outcomes[i] = o
	}
	return outcomes
}

// source ingests one file, or takes up where an interrupted run has left it.
func (j *Ingest) source(ctx context.Context, in Session, s Step) (Outcome, error) {
	known, found, err := j.Ledger.Source(ctx, s.Source)
	if err != nil {
		return Outcome{}, err
	}
	if found && known.State == sinks.SourceComplete {
		return Outcome{Step: s, Result: sinks.ResultUnchanged, Counts: total(known.Days)}, nil
	}
	file, err := j.locate(ctx, s.Source, known)
	record := sinks.Source{Digest: s.Source, State: sinks.SourcePending, Path: file.Path, Bytes: uint64(file.Bytes), Run: in.Run, AsOf: in.AsOf}
	if found { // what was decided by the time of reading is decided alike again
		record.AsOf = known.AsOf
	}
	if found && known.State == sinks.SourcePending {
		record.Format = known.Format
	}
	var counts map[sinks.Count]uint64
	if err == nil {
		counts, err = j.read(ctx, file, &record, found)
		if errors.Is(err, sinks.ErrVerification) && j.Gate != nil && !found {
			// Somebody may have been erased whose rows had just been stored: then they are
			// refused now, and the account is right.
			counts, err = j.read(ctx, file, &record, true)
		}
		if err != nil {
			record.Days = nil
		}
	}
	switch {
	case errors.Is(err, sinks.ErrSourceMissing):
		return j.abandon(ctx, s, record)
	case errors.Is(err, sinks.ErrInvalidInput): // what could be read stays, and does not wait for the rest
		record.State, record.Days = sinks.SourceAbandoned, nil
		return Outcome{}, errors.Join(fmt.Errorf("%s: %w", file.Path, err), j.Ledger.RecordSource(ctx, record))
	case err != nil:
		return Outcome{}, fmt.Errorf("%s: %w", file.Path, err)
	}
	sinks.Failpoint("ingest.stored")
	record.State = sinks.SourceComplete
	if err := j.Ledger.RecordSource(ctx, record); err != nil {
		return Outcome{}, err
	}
	sinks.Failpoint("ingest.recorded")
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: counts}
	o.reached(sinks.StageStored)
	return o, nil
}

// locate finds the file with a source's content: among the input, or where it lay
// when an interrupted run read it. What has taken its place there is another source.
func (j *Ingest) locate(ctx context.Context, source sinks.ID, known sinks.Source) (sinks.InputFile, error) {
	if file, listed := j.files[source]; listed {
		return file, nil
	}
	file := inputOf(known)
	if file.Path == "" {
		return file, sinks.ErrSourceMissing
	}
	digest, err := contentDigest(ctx, j.Inputs, file)
	if err == nil && digest != source {
		err = fmt.Errorf("%w: %s is another file now", sinks.ErrSourceMissing, file.Path)
	}
	return file, err
}

// abandon gives up a source whose file is gone. The rows that were stored stay;
// if the file turns up again it is read from the start, and they are recognised.
func (j *Ingest) abandon(ctx context.Context, s Step, record sinks.Source) (Outcome, error) {
	record.State = sinks.SourceAbandoned
	record.Days = nil
	if err := j.Ledger.RecordSource(ctx, record); err != nil {
		return Outcome{}, err
	}
	return Outcome{Step: s, Result: sinks.ResultAbandoned, Err: fmt.Errorf("%w: it was being read when a run was interrupted", sinks.ErrSourceMissing)}, nil
}

// read reads a file from start to end and accounts for every record: by day in the
// source's record, and as a whole, with the reasons of refusals, in the result. Again
// says that rows of it may be stored already.
func (j *Ingest) read(ctx context.Context, file sinks.InputFile, record *sinks.Source, again bool) (map[sinks.Count]uint64, error) {
	raw, err := j.Inputs.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer raw.Close() //nolint:errcheck // read only
	digest := xxh3.New()
	in, err := openSource(io.TeeReader(&countingReader{raw, j.Progress}, digest))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	switch {
	case file.Format != "": // pinned by where it comes from
		in.format = config.InputFormat(file.Format)
	case record.Format != "": // as it was read before
		in.format = config.InputFormat(record.Format)
	case j.Format != "":
		in.format = j.Format
	}
	record.Format = string(in.format)
	if err := j.Ledger.RecordSource(ctx, *record); err != nil { // pending
		return nil, err
	}
	sinks.Failpoint("ingest.pending")
	reader, err := newSourceReader(j, record.AsOf, in, record.Digest)
	if err != nil {
		return nil, err
	}
	reader.reading.again = again
	reader.reading.open()
	defer reader.reading.Close()
	if err := reader.all(ctx); err != nil {
		return nil, err
	}
	if err := in.drain(); err != nil { // what follows a compressed stream
		return nil, err
	}
	if sinks.ID(digest.Sum128().Bytes()) != record.Digest {
		return nil, fmt.Errorf("%w: the file is not what it was when the run began", sinks.ErrConflict)
	}
	record.Days = reader.account.days()
	j.note(reader.reading.decoder.Unwanted())
	counts := total(record.Days)
	for reason, n := range reader.refused {
		if n > 0 {
			counts[reason] = n
		}
	}
	return counts, reader.check(ctx)
}

// maxUnwanted bounds how many names of unwanted fields are told: they come from the
// input.
const maxUnwanted = 1000

// note adds up the fields that were dropped.
func (j *Ingest) note(unwanted map[string]uint64) {
	if j.unwanted == nil {
		j.unwanted = map[string]uint64{}
	}
	for name, n := range unwanted {
		if _, known := j.unwanted[name]; !known && len(j.unwanted) >= maxUnwanted {
			name = decode.OtherNames
		}
		j.unwanted[name] += n
	}
}

// Unwanted returns how often each field came that no purpose of the policy covers,
// and that was therefore dropped, in all files of the run.
func (j *Ingest) Unwanted() map[string]uint64 { return maps.Clone(j.unwanted) }

// countingReader reports how much has been read.
type countingReader struct {
	io.Reader
	progress func(int64)
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.progress != nil && n > 0 {
		r.progress(int64(n))
	}
	return n, err
}
