package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/facesoft/lapse/config"
)

// manifests are what an overlay renders to.
type manifests struct {
	pods     map[string]corev1.PodSpec // by the name of their owner
	cronJobs map[string]batchv1.CronJob
	settings map[string]string // files of the settings' ConfigMap
	kinds    []string
}

// rendered renders an overlay as kubectl does, and decodes every object strictly: a field
// that its type does not have is an error.
func rendered(t *testing.T, overlay string) *manifests {
	t.Helper()
	k := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	resources, err := k.Run(filesys.MakeFsOnDisk(), filepath.Join("../../config/kubernetes/overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	m := &manifests{pods: map[string]corev1.PodSpec{}, cronJobs: map[string]batchv1.CronJob{}}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.decode(r.GetKind(), r.GetName(), text); err != nil {
			t.Errorf("%s: %s %s: %v", overlay, r.GetKind(), r.GetName(), err)
		}
		m.kinds = append(m.kinds, r.GetKind())
	}
	return m
}

func (m *manifests) decode(kind, name string, text []byte) error {
	switch kind {
	case "Deployment":
		var d appsv1.Deployment
		err := yaml.UnmarshalStrict(text, &d)
		m.pods[name] = d.Spec.Template.Spec
		return err
	case "CronJob":
		var c batchv1.CronJob
		err := yaml.UnmarshalStrict(text, &c)
		m.pods[name], m.cronJobs[name] = c.Spec.JobTemplate.Spec.Template.Spec, c
		return err
	case "ConfigMap":
		var c corev1.ConfigMap
		err := yaml.UnmarshalStrict(text, &c)
		m.settings = c.Data
		return err
	}
	objects := map[string]any{
		"ServiceAccount": new(corev1.ServiceAccount), "Service": new(corev1.Service), "PersistentVolumeClaim": new(corev1.PersistentVolumeClaim),
		"Role": new(rbacv1.Role), "RoleBinding": new(rbacv1.RoleBinding),
		"NetworkPolicy": new(networkingv1.NetworkPolicy), "PodDisruptionBudget": new(policyv1.PodDisruptionBudget),
	}
	if objects[kind] == nil {
		return fmt.Errorf("this test does not know the kind: add it")
	}
	return yaml.UnmarshalStrict(text, objects[kind])
}

func TestKubernetesManifestsRender(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"cronjobs", "scheduler"} {
		m := rendered(t, overlay)
		for _, kind := range []string{"Deployment", "CronJob", "ConfigMap", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget", "Service", "PersistentVolumeClaim"} {
			if !slices.Contains(m.kinds, kind) {
				t.Errorf("%s has no %s", overlay, kind)
			}
		}
		for name, pod := range m.pods {
			checkPod(t, overlay+"/"+name, pod)
		}
		for name, c := range m.cronJobs {
			checkCronJob(t, overlay+"/"+name, c)
			if suspended := c.Spec.Suspend != nil && *c.Spec.Suspend; suspended != (overlay == "scheduler") {
				t.Errorf("%s/%s: suspended is %v", overlay, name, suspended)
			}
		}
		file := filepath.Join(t.TempDir(), config.SettingsFile)
		if err := os.WriteFile(file, []byte(m.settings[config.SettingsFile]), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := config.LoadSettings(file)
		if err != nil {
			t.Fatalf("%s: %v", overlay, err)
		}
		if scheduled := len(s.Schedule) > 0; scheduled != (overlay == "scheduler") {
			t.Errorf("%s: %d jobs are scheduled", overlay, len(s.Schedule))
		}
		if overlay == "scheduler" && len(s.Schedule) != len(m.cronJobs) {
			t.Errorf("%d jobs are scheduled, there are %d CronJobs", len(s.Schedule), len(m.cronJobs))
		}
	}
}

// checkPod holds a pod against the restricted Pod Security Standard, and its command line
// against the program's.
func checkPod(t *testing.T, name string, pod corev1.PodSpec) {
	t.Helper()
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: the pod is not restricted", name)
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: the container is not restricted", name)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: the container has no bounds", name)
		}
		for _, m := range c.VolumeMounts {
			if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("%s: there is no volume %s", name, m.Name)
			}
		}
		a := &app{in: &bytes.Buffer{}, out: io.Discard, errors: io.Discard, log: slog.New(slog.DiscardHandler)}
		command, rest, err := a.rootCommand().Find(c.Args)
		if err == nil {
			err = command.ParseFlags(rest)
		}
		if err != nil || command.RunE == nil || command.Flags().NArg() > 0 {
			t.Errorf("%s: lapse %s: %v", name, strings.Join(c.Args, " "), err)
		}
	}
}

// checkCronJob makes sure that no run is lost or doubled for long, and that every exit
// code has its consequence.
func checkCronJob(t *testing.T, name string, c batchv1.CronJob) {
	t.Helper()
	job := c.Spec.JobTemplate.Spec
	if c.Spec.ConcurrencyPolicy != batchv1.ForbidConcurrent || c.Spec.StartingDeadlineSeconds == nil || c.Spec.TimeZone == nil || job.TTLSecondsAfterFinished == nil || job.ActiveDeadlineSeconds == nil {
		t.Errorf("%s: runs may pile up or get lost", name)
	}
	if _, err := config.ParseSpec(c.Spec.Schedule); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	actions := map[int32]batchv1.PodFailurePolicyAction{}
	for _, rule := range job.PodFailurePolicy.Rules {
		if rule.OnExitCodes != nil {
			for _, code := range rule.OnExitCodes.Values {
				actions[code] = rule.Action
			}
		}
	}
	for code, want := range map[int32]batchv1.PodFailurePolicyAction{
		exitFailure: batchv1.PodFailurePolicyActionFailJob, exitUsage: batchv1.PodFailurePolicyActionFailJob,
		exitRetriable: batchv1.PodFailurePolicyActionCount, exitPartial: batchv1.PodFailurePolicyActionCount,
		exitOverdue: batchv1.PodFailurePolicyActionFailJob, exitAudit: batchv1.PodFailurePolicyActionCount,
		exitNotVerified: batchv1.PodFailurePolicyActionFailJob,
	} {
		if actions[code] != want {
			t.Errorf("%s: exit code %d leads to %q, want %q", name, code, actions[code], want)
		}
	}
}
