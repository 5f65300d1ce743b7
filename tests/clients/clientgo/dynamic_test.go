package clientgo

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
)

const group = "clientgo.example.com"

var definitions = schema.GroupVersionResource{
	Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
}

func definition() *unstructured.Unstructured {
	size := map[string]any{"type": "integer", "minimum": int64(1), "default": int64(3)}
	spec := map[string]any{"type": "object", "properties": map[string]any{"size": size}}
	status := map[string]any{"type": "object", "properties": map[string]any{"size": map[string]any{"type": "integer"}}}
	properties := map[string]any{"spec": spec, "status": status}
	replicas := map[string]any{"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
	version := map[string]any{
		"name": "v1", "served": true, "storage": true,
		"schema":       map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": properties}},
		"subresources": map[string]any{"status": map[string]any{}, "scale": replicas},
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": "gadgets." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names":    map[string]any{"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
			"versions": []any{version},
		},
	}}
}

// A kind that did not exist when the program was built: defined, discovered, mapped, used, scaled, undefined.
func TestDynamicClientOnACustomResource(t *testing.T) {
	settings := config(t)
	client, err := dynamic.NewForConfig(settings)
	must(t, err)
	finder, err := discovery.NewDiscoveryClientForConfig(settings)
	must(t, err)
	crds := client.Resource(definitions)
	_, err = crds.Create(t.Context(), definition(), metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := crds.Delete(context.Background(), "gadgets."+group, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	cache := memory.NewMemCacheClient(finder)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cache)
	var mapping *meta.RESTMapping
	eventually(t, "the kind is discovered", func(context.Context) (bool, error) {
		mapper.Reset()
		mapping, err = mapper.RESTMapping(schema.GroupKind{Group: group, Kind: "Gadget"})
		return err == nil, nil
	})
	gadgets := client.Resource(mapping.Resource).Namespace(newNamespace(t, clientset(t, settings)))

	gadget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "Gadget",
		"metadata": map[string]any{"name": "g"},
		"spec":     map[string]any{},
	}}
	made, err := gadgets.Create(t.Context(), gadget, metav1.CreateOptions{})
	must(t, err)
	size, _, err := unstructured.NestedInt64(made.Object, "spec", "size")
	must(t, err)
	equal(t, "default", size, 3)

	wrong := gadget.DeepCopy()
	wrong.SetName("wrong")
	must(t, unstructured.SetNestedField(wrong.Object, int64(0), "spec", "size"))
	_, err = gadgets.Create(t.Context(), wrong, metav1.CreateOptions{})
	refused(t, apierrors.IsInvalid, err)

	must(t, unstructured.SetNestedField(made.Object, int64(2), "status", "size"))
	must(t, unstructured.SetNestedField(made.Object, int64(9), "spec", "size"))
	shown, err := gadgets.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
	must(t, err)
	size, _, _ = unstructured.NestedInt64(shown.Object, "spec", "size")
	equal(t, "spec after an update of the status", size, 3)

	kinds := scale.NewDiscoveryScaleKindResolver(cache)
	scaler, err := scale.NewForConfig(settings, mapper, dynamic.LegacyAPIPathResolverFunc, kinds)
	must(t, err)
	scales := scaler.Scales(shown.GetNamespace())
	current, err := scales.Get(t.Context(), mapping.Resource.GroupResource(), "g", metav1.GetOptions{})
	must(t, err)
	equal(t, "replicas in the status", current.Status.Replicas, 2)
	current.Spec.Replicas = 7
	_, err = scales.Update(t.Context(), mapping.Resource.GroupResource(), current, metav1.UpdateOptions{})
	must(t, err)

	must(t, gadgets.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	listed, err := gadgets.List(t.Context(), metav1.ListOptions{})
	must(t, err)
	equal(t, "gadgets left", len(listed.Items), 0)
}
