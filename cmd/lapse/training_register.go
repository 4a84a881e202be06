package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
)

// registerFlags describe one item.
type registerFlags struct {
	note trainingNote
	at   atFlag
	age  int
}

func (a *app) trainingRegisterCommand() *cobra.Command {
	var f registerFlags
	c := &cobra.Command{
		Use:   "register [FILE...]",
		Short: "Enter objects that models are trained on into the register",
		Long: `Takes one item from flags, or any number of notes from files with a JSON object a line
(- is the standard input). A file is checked whole before any of it is stored: the
first fault is told with its line. The same note again changes nothing.

A line of a file has the type training_item with at, bucket, key, organisation, subjects,
media_type, bytes, sha256, purposes, derivatives, consent, consent_reference,
consent_by and age; or training_addition with at, bucket, key, derivatives and purposes;
or training_purpose_opened or training_purpose_completed with at and
purpose; training_model with at, purpose and model; training_consent with at, decision
and one of key, subject, organisation and consent_reference.`,
		Example: `  lapse training register --key o1/img-1.jpg --purpose face-detection --organisation o1 --consent --consent-reference c-17
  lapse training register --key o1/img-2.jpg --purpose liveness --age 15 --consent --consent-by guardian --derivative crops/img-2.webp
  lapse training register notes.ndjson
  zcat notes.ndjson.gz | lapse training register -`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				if f.note.Key != "" {
					return usageError{errors.New("describe one item with flags, or name files; not both")}
				}
				return a.registerFiles(c.Context(), args)
			}
			if c.Flags().Changed("age") {
				f.note.Age = &f.age
			}
			return a.registerItem(c.Context(), f)
		},
	}
	n, flags := &f.note, c.Flags()
	flags.StringVar(&n.Bucket, "bucket", "", "the bucket, as the settings name it (default: the only one)")
	flags.StringVar(&n.Key, "key", "", "the object's key")
	flags.StringVar(&n.Organisation, "organisation", "", "who uploaded it")
	flags.StringSliceVar(&n.Subjects, "subject", nil, "a person to be seen; can be repeated")
	flags.StringVar(&n.MediaType, "media-type", "", "such as image/jpeg")
	flags.Int64Var(&n.Bytes, "bytes", 0, "its size (default: what the bucket says)")
	flags.StringVar(&n.SHA256, "sha256", "", "digest of its content, for 'lapse run reconcile'")
	flags.StringSliceVar(&n.Purposes, "purpose", nil, "what it is kept for; can be repeated")
	flags.StringSliceVar(&n.Derivatives, "derivative", nil, "key of what was made from it; can be repeated")
	flags.BoolVar(&n.Consent, "consent", false, "its storage was consented to")
	flags.StringVar(&n.ConsentReference, "consent-reference", "", "your name for that consent")
	flags.StringVar(&n.ConsentBy, "consent-by", "", "who consented: self or guardian")
	flags.IntVar(&f.age, "age", 0, "declared age of the youngest person to be seen, in years")
	f.at.register(c)
	return c
}

func (a *app) registerFiles(ctx context.Context, files []string) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	n, err := a.takeNotes(ctx, i, func(w io.Writer) error {
		for _, file := range files {
			if err := a.copyFile(w, file); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.tell(n, "%d notes stored, %d known already", n.Stored, n.Duplicate)
}

func (a *app) copyFile(w io.Writer, file string) error {
	if file == standardInput {
		return a.copyNotes(w, a.in, "the standard input")
	}
	f, err := os.Open(file)
	if err != nil {
		return usageError{err}
	}
	defer f.Close() //nolint:errcheck // read only
	return a.copyNotes(w, f, file)
}

func (a *app) registerItem(ctx context.Context, f registerFlags) error {
	at, err := f.at.time()
	if err != nil {
		return err
	}
	return a.note(ctx, "registered", func(i *installation) ([]trainingNote, error) {
		n := f.note
		n.Type, n.At = noteItem, at
		n.Bucket = i.bucketOr(n.Bucket)
		if b, known := i.buckets[n.Bucket]; known && n.Bytes == 0 && n.Key != "" {
			if n.Bytes, err = sizeOf(ctx, b, n.Key); err != nil {
				return nil, err
			}
		}
		return []trainingNote{n}, nil
	})
}

// bucketOr returns the name of a bucket; of the only one, if none is given.
func (i *installation) bucketOr(name string) string {
	if name == "" && len(i.settings.Buckets) == 1 {
		return i.settings.Buckets[0].Name
	}
	return name
}

// sizeOf returns how large an object is, as its bucket says.
func sizeOf(ctx context.Context, b sinks.Bucket, key string) (int64, error) {
	enough := errors.New("found")
	size := int64(-1)
	err := b.List(ctx, key, func(o sinks.Object) error {
		if o.Key == key {
			size = o.Bytes
		}
		return enough // it comes first, if it is there
	})
	if err != nil && !errors.Is(err, enough) {
		return 0, err
	}
	if size < 0 {
		return 0, usageError{errors.New("the bucket holds no object of this key: upload it first, or say its size with --bytes")}
	}
	return size, nil
}
