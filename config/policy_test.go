package config

import "testing"

func TestFacesoftPolicyLoads(t *testing.T) {
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Purposes) != 12 {
		t.Errorf("%d purposes, want the twelve of the policy", len(p.Purposes))
	}
}
