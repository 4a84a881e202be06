package config

// TrainingRecords describes the records from which the training register is made,
// as a dataset of the program's own: they are decoded and stored like any other.
// It is not part of any policy, but nothing is taken into it unless the policy has
// a rule for training.
func TrainingRecords() *Dataset {
	text, label := MustType("String"), MustType("LowCardinality(String)")
	column := func(name string, t Type, from ...string) Column {
		return Column{Name: name, Type: t, From: from, Identifies: Indirectly, Description: trainingWords[name]}
	}
	return &Dataset{
		Name:        "training",
		Description: "what is known about training items: registrations, purposes, models, consents",
		Input:       Input{Format: TrainingNotes, Types: []string{"training_item", "training_addition", "training_purpose_opened", "training_purpose_completed", "training_model", "training_consent"}},
		Time:        "at",
		OrderBy:     []string{"kind", "bucket", "object_key"}, // items are looked up as neighbours
		Columns: []Column{
			column("at", MustType("DateTime64(3)"), "at"),
			column("kind", label, "type"),
			{Name: "item", Type: text, Derive: DeriveRandom, Description: trainingWords["item"]},
			column("bucket", label, "bucket"),
			column("object_key", text, "key"),
			column("organisation", text, "organisation"),
			column("subject", text, "subject"),
			column("subjects", text, "subjects"),
			column("media_type", label, "media_type"),
			column("bytes", MustType("UInt64"), "bytes"),
			column("sha256", text, "sha256"),
			column("purpose", label, "purpose"),
			column("purposes", text, "purposes"),
			column("derivatives", text, "derivatives"),
			column("consent", MustType("Bool"), "consent"),
			column("decision", label, "decision"),
			column("consent_reference", text, "consent_reference"),
			column("consent_by", label, "consent_by"),
			column("age", MustType("Nullable(UInt8)"), "age"),
			column("model", label, "model"),
		},
	}
}

var trainingWords = map[string]string{
	"at":           "when the item was uploaded or added to, the purpose opened or completed, the model trained, the consent given or withdrawn (UTC)",
	"kind":         "training_item, training_addition, training_purpose_opened, training_purpose_completed, training_model or training_consent",
	"item":         "random id of a registered item: what the audit log calls it",
	"bucket":       "object store of the item, as the settings name it",
	"object_key":   "key of the object",
	"organisation": "who uploaded it, or whose consent is meant",
	"subject":      "the person whose consent is meant",
	"subjects":     "people in the picture, a JSON list",
	"media_type":   "such as image/jpeg",
	"bytes":        "size of the object",
	"sha256":       "digest of the object's content",
	"purpose":      "the purpose that was opened or completed, for the object of the key if there is one, or that the model was trained for",
	"purposes":     "purposes that the item serves, or serves since the addition, a JSON list",
	"derivatives":  "keys of what was made from it, a JSON list",
	"consent":      "whether its storage was consented to at the upload",
	"decision":     "granted, withdrawn, or erased: by a request that whatever comes later does not undo",

	"consent_reference": "the customer's own name for the consent that the item rests on, or that is decided about",
	"consent_by":        "who consented: self or guardian",
	"age":               "declared age in years of the youngest person in the picture; absent if nobody declared it",
	"model":             "the model that was trained",
}
