// Prints the protobuf field numbers of the Kubernetes kinds that the API server accepts, as JSON.
//
// Read by reflection from the struct tags of k8s.io/api, so the table follows the published types:
//
//	cd tests/pocket/protobuf_fields && go run . > ../../../lab/pocket/apiserver/http/protobuf_fields.json
//
// A message is {"number": "jsonName type"}. A type is a scalar (string, bytes, bool, int, double), a
// well-known one (Time, MicroTime, Quantity, IntOrString,
// Raw, Strings) or a message of the table; "[]T" repeats, "{}T" is a
// map with string keys, "^T" is a struct whose fields stand in its parent, "T?" is left out when zero.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	autoscaling2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	certificates "k8s.io/api/certificates/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	flowcontrol "k8s.io/api/flowcontrol/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var roots = map[string][]any{
	"v1": {core.ConfigMap{}, core.Endpoints{}, core.Event{}, core.Namespace{}, core.Node{}, core.Pod{}, core.Secret{},
		core.ServiceAccount{}, core.Service{}, core.Binding{}, core.LimitRange{}, core.PersistentVolume{},
		core.PersistentVolumeClaim{}, core.PodTemplate{}, core.ReplicationController{}, core.ResourceQuota{},
		meta.DeleteOptions{}},
	"admissionregistration.k8s.io/v1": {admission.MutatingWebhookConfiguration{}, admission.ValidatingWebhookConfiguration{},
		admission.ValidatingAdmissionPolicy{}, admission.ValidatingAdmissionPolicyBinding{}},
	"apps/v1":                  {apps.Deployment{}, apps.ReplicaSet{}, apps.StatefulSet{}, apps.DaemonSet{}, apps.ControllerRevision{}},
	"authentication.k8s.io/v1": {authentication.TokenRequest{}, authentication.TokenReview{}, authentication.SelfSubjectReview{}},
	"authorization.k8s.io/v1": {authorization.SelfSubjectAccessReview{}, authorization.SelfSubjectRulesReview{},
		authorization.SubjectAccessReview{}, authorization.LocalSubjectAccessReview{}},
	"autoscaling/v1":                  {autoscaling.Scale{}, autoscaling.HorizontalPodAutoscaler{}},
	"autoscaling/v2":                  {autoscaling2.HorizontalPodAutoscaler{}},
	"batch/v1":                        {batch.Job{}, batch.CronJob{}},
	"certificates.k8s.io/v1":          {certificates.CertificateSigningRequest{}},
	"coordination.k8s.io/v1":          {coordination.Lease{}},
	"discovery.k8s.io/v1":             {discovery.EndpointSlice{}},
	"events.k8s.io/v1":                {events.Event{}},
	"flowcontrol.apiserver.k8s.io/v1": {flowcontrol.FlowSchema{}, flowcontrol.PriorityLevelConfiguration{}},
	"networking.k8s.io/v1":            {networking.Ingress{}, networking.IngressClass{}, networking.NetworkPolicy{}},
	"node.k8s.io/v1":                  {node.RuntimeClass{}},
	"policy/v1":                       {policy.Eviction{}, policy.PodDisruptionBudget{}},
	"rbac.authorization.k8s.io/v1":    {rbac.Role{}, rbac.RoleBinding{}, rbac.ClusterRole{}, rbac.ClusterRoleBinding{}},
	"scheduling.k8s.io/v1":            {scheduling.PriorityClass{}},
	"storage.k8s.io/v1":               {storage.StorageClass{}},
}

var known = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):            "Time",
	reflect.TypeOf(meta.MicroTime{}):       "MicroTime",
	reflect.TypeOf(resource.Quantity{}):    "Quantity",
	reflect.TypeOf(intstr.IntOrString{}):   "IntOrString",
	reflect.TypeOf(meta.FieldsV1{}):        "Raw",
	reflect.TypeOf(runtime.RawExtension{}): "Raw",
}

type table struct {
	Kinds    map[string]string
	Messages map[string]map[string]string
}

func main() {
	out := table{map[string]string{}, map[string]map[string]string{}}
	for version, objects := range roots {
		for _, object := range objects {
			t := reflect.TypeOf(object)
			out.Kinds[version+" "+t.Name()] = out.message(t)
		}
	}
	lines := []string{" \"kinds\": " + block(out.Kinds), " \"messages\": " + block(out.Messages)}
	fmt.Printf("{\n%s\n}\n", strings.Join(lines, ",\n"))
}

// block is a JSON object with one line per key, so that a change of one message is a change of one line.
func block[T any](values map[string]T) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value, err := json.Marshal(values[key])
		if err != nil {
			panic(err)
		}
		lines = append(lines, fmt.Sprintf("  %q: %s", key, value))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n }"
}

func (out table) message(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	group, version := parts[len(parts)-2], strings.TrimSuffix(parts[len(parts)-1], "v1")
	name := group + version + "." + t.Name() // autoscalingv2.MetricSpec
	if _, done := out.Messages[name]; done {
		return name
	}
	fields := map[string]string{}
	out.Messages[name] = fields
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		proto := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(proto) < 2 {
			continue
		}
		if _, err := strconv.Atoi(proto[1]); err != nil {
			panic(name + "." + field.Name)
		}
		tag := strings.Split(field.Tag.Get("json"), ",")
		kind := out.kind(field.Type)
		options := strings.Join(tag[1:], ",")
		if strings.Contains(options, "inline") {
			kind = "^" + kind
		} else if strings.Contains(options, "omit") && field.Type.Kind() != reflect.Pointer {
			kind += "?"
		}
		fields[proto[1]] = tag[0] + " " + kind
	}
	return name
}

func (out table) kind(t reflect.Type) string {
	if name, ok := known[t]; ok {
		return name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return out.kind(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Float64:
		return "double"
	case reflect.Struct:
		return out.message(t)
	case reflect.Map:
		return "{}" + out.kind(t.Elem())
	case reflect.Slice:
		switch {
		case t.Elem().Kind() == reflect.Uint8:
			return "bytes"
		case t.Name() != "": // a named slice is a message with its items in field 1
			return "Strings"
		}
		return "[]" + out.kind(t.Elem())
	}
	panic(t.String())
}
