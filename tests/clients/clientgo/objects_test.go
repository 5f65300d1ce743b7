package clientgo

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/util/retry"
)

// The typed client, in JSON and in protobuf: create, read, update with conflicts, patch, list, delete.
func TestTypedObjects(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
		t.Run(contentType, func(t *testing.T) {
			settings := config(t)
			settings.ContentType = contentType
			client := clientset(t, settings)
			maps := client.CoreV1().ConfigMaps(newNamespace(t, client))

			wanted := &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "one", Labels: map[string]string{"app": "x"}},
				Data:       map[string]string{"a": "1"},
				BinaryData: map[string][]byte{"raw": {0, 255}},
			}
			first, err := maps.Create(t.Context(), wanted, metav1.CreateOptions{})
			must(t, err)
			equal(t, "binary data", string(first.BinaryData["raw"]), "\x00\xff")
			_, err = maps.Create(t.Context(), wanted, metav1.CreateOptions{})
			refused(t, apierrors.IsAlreadyExists, err)

			second := first.DeepCopy()
			second.Data["a"] = "2"
			_, err = maps.Update(t.Context(), second, metav1.UpdateOptions{})
			must(t, err)
			_, err = maps.Update(t.Context(), first, metav1.UpdateOptions{})
			refused(t, apierrors.IsConflict, err)
			must(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
				latest, err := maps.Get(t.Context(), "one", metav1.GetOptions{})
				if err != nil {
					return err
				}
				latest.Data["b"] = "3"
				_, err = maps.Update(t.Context(), latest, metav1.UpdateOptions{})
				return err
			}))

			merge := []byte(`{"data":{"a":null,"c":"4"}}`)
			patched, err := maps.Patch(t.Context(), "one", types.MergePatchType, merge, metav1.PatchOptions{})
			must(t, err)
			data, _ := json.Marshal(patched.Data)
			equal(t, "data", string(data), `{"b":"3","c":"4"}`)

			listed, err := maps.List(t.Context(), metav1.ListOptions{LabelSelector: "app in (x,y)"})
			must(t, err)
			equal(t, "listed", len(listed.Items), 1)

			other := types.UID("11111111-1111-1111-1111-111111111111")
			onlyOther := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}}
			refused(t, apierrors.IsConflict, maps.Delete(t.Context(), "one", onlyOther))
			must(t, maps.Delete(t.Context(), "one", metav1.DeleteOptions{}))
			_, err = maps.Get(t.Context(), "one", metav1.GetOptions{})
			refused(t, apierrors.IsNotFound, err)
		})
	}
}

// Lists in pages carry on where the page before ended, and say how much is left.
func TestPagination(t *testing.T) {
	client := clientset(t, config(t))
	secrets := client.CoreV1().Secrets(newNamespace(t, client))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{})
		must(t, err)
	}
	names, options := "", metav1.ListOptions{Limit: 2}
	for {
		page, err := secrets.List(t.Context(), options)
		must(t, err)
		for _, each := range page.Items {
			names += each.Name
		}
		if page.Continue == "" {
			break
		}
		equal(t, "left after "+names, int(*page.RemainingItemCount), 5-len(names))
		options.Continue = page.Continue
	}
	equal(t, "names", names, "abcde")
}

// What is wrong with an object comes as causes that a program can read.
func TestInvalidObjects(t *testing.T) {
	client := clientset(t, config(t))
	services := client.CoreV1().Services(newNamespace(t, client))
	wrong := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "Upper"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 70000}}},
	}
	_, err := services.Create(t.Context(), wrong, metav1.CreateOptions{})
	refused(t, apierrors.IsInvalid, err)
	fields := map[string]bool{}
	for _, cause := range err.(apierrors.APIStatus).Status().Details.Causes {
		fields[cause.Field] = true
	}
	if !fields["metadata.name"] || !fields["spec.ports[0].port"] {
		t.Fatalf("causes: %v", err)
	}
}

// Server-side apply through apply configurations: two managers, a conflict, force, and giving a field up.
func TestServerSideApply(t *testing.T) {
	client := clientset(t, config(t))
	space := newNamespace(t, client)
	deployments := client.AppsV1().Deployments(space)
	wanted := func(replicas int32, image string) *applyapps.DeploymentApplyConfiguration {
		container := applycore.Container().WithName("main").WithImage(image).
			WithPorts(applycore.ContainerPort().WithName("http").WithContainerPort(8080))
		labels := map[string]string{"app": "web"}
		return applyapps.Deployment("web", space).WithSpec(applyapps.DeploymentSpec().
			WithReplicas(replicas).
			WithSelector(applymeta.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(applycore.PodTemplateSpec().WithLabels(labels).
				WithSpec(applycore.PodSpec().WithContainers(container))))
	}
	one, two := metav1.ApplyOptions{FieldManager: "one"}, metav1.ApplyOptions{FieldManager: "two"}
	_, err := deployments.Apply(t.Context(), wanted(0, "multicluster.lab/apps:1"), one)
	must(t, err)
	_, err = deployments.Apply(t.Context(), wanted(0, "multicluster.lab/apps:2"), two)
	refused(t, apierrors.IsConflict, err)
	causes := err.(apierrors.APIStatus).Status().Details.Causes
	equal(t, "causes", len(causes), 1)
	equal(t, "field", causes[0].Field, `.spec.template.spec.containers[name="main"].image`)
	equal(t, "type", causes[0].Type, metav1.CauseTypeFieldManagerConflict)

	two.Force = true
	_, err = deployments.Apply(t.Context(), wanted(0, "multicluster.lab/apps:2"), two)
	must(t, err)

	// What a manager owns can be read back out of an object, changed and applied again.
	live, err := deployments.Get(t.Context(), "web", metav1.GetOptions{})
	must(t, err)
	mine, err := applyapps.ExtractDeployment(live, "one")
	must(t, err)
	if image := mine.Spec.Template.Spec.Containers[0].Image; image != nil {
		t.Fatalf("manager one still owns the image %s", *image)
	}
	mine.Spec.Template.Spec.Containers[0].Ports = nil
	_, err = deployments.Apply(t.Context(), mine, one)
	must(t, err)
	_, err = deployments.ApplyStatus(t.Context(), applyapps.Deployment("web", space).
		WithStatus(applyapps.DeploymentStatus().WithObservedGeneration(9)),
		metav1.ApplyOptions{FieldManager: "status", Force: true})
	must(t, err)
	live, err = deployments.Get(t.Context(), "web", metav1.GetOptions{})
	must(t, err)
	equal(t, "ports, which manager two owns too", len(live.Spec.Template.Spec.Containers[0].Ports), 1)
}
