package clickhouse_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// onFirst are the methods of a Store that concern the control tables alone, or nothing in
// particular: those of the first node do for all.
var onFirst = []string{
	"Databases", "MemoryUse", "Ping", "SQL", "ExportColumns", "Reads", "Inspect", "PrepareSample",
	"EachPersonRow", "ExpiredConsents", "ForgetConsents", // over the tables of all nodes
	"Account", "Activated", "BeginReplay", "ConsentsOf", "CopiedEntries", "CopyEntries", "CountQuarantined", "Disclosures", "DueItems",
	"EachItem", "EachKnown", "EachWithdrawn", "EndReplay", "EraseFromTraining", "Erasures", "ErasuresOf", "Expected", "FirstMissing",
	"Forget", "Forgettable", "HeldItems", "HeldSubjects", "Holds", "Items", "KnownBuckets", "LastRuns", "LastScheduled",
	"LastSuccesses", "LatestConsents", "MarkDueItems", "NoteRequests", "NoteStrays", "Notes", "Pending", "PeopleOf", "PlaceHold",
	"PruneRuns", "PutRequests", "PutTombstones", "QuarantineGroups", "QuarantinedRecords", "QuarantinedSources", "RecordActivation",
	"RecordConsents", "RecordDisclosure", "RecordErasures", "RecordReplayed", "RecordRun", "RecordSource", "ReleaseHold",
	"RemoveQuarantined", "RemoveReplayed", "ReplayableRecords", "Requests", "RestoreItems", "Runs", "Seal", "Source", "Strays",
	"Tombstones", "TrainingItemsOf",
}

// A method of a Store that looks at personal or published rows has to be asked on every
// node. Those of a Cluster that are not its own are those of its first node.
func TestMethodsOverPersonalRowsAreThoseOfAllNodes(t *testing.T) {
	t.Parallel()
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // no types are needed
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string][]string{}
	for _, file := range packages["clickhouse"].Files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
				of := star.X.(*ast.Ident).Name
				methods[of] = append(methods[of], f.Name.Name)
			}
		}
	}
	slices.Sort(methods["Store"])
	for _, name := range methods["Store"] {
		if !slices.Contains(methods["Cluster"], name) && !slices.Contains(onFirst, name) {
			t.Errorf("Store.%s: give Cluster a method that asks all nodes, or note here that it concerns the first alone", name)
		}
	}
}
