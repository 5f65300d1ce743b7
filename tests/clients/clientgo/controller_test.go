package clientgo

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/features"
	featurestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// copier keeps one Secret per ConfigMap: the usual controller, with informers, a lister and a work queue.
type copier struct {
	client kubernetes.Interface
	lister listers.ConfigMapLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

func (c *copier) enqueue(obj any) {
	if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
		c.queue.Add(name)
	}
}

func (c *copier) run(ctx context.Context) {
	for {
		name, over := c.queue.Get()
		if over {
			return
		}
		if err := c.reconcile(ctx, name); err != nil {
			c.queue.AddRateLimited(name)
		} else {
			c.queue.Forget(name)
		}
		c.queue.Done(name)
	}
}

func (c *copier) reconcile(ctx context.Context, name cache.ObjectName) error {
	source, err := c.lister.ConfigMaps(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil // its copy goes by garbage collection
	} else if err != nil {
		return err
	}
	owner := metav1.NewControllerRef(source, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	meta := metav1.ObjectMeta{Name: source.Name, OwnerReferences: []metav1.OwnerReference{*owner}}
	wanted := &corev1.Secret{ObjectMeta: meta, StringData: source.Data}
	secrets := c.client.CoreV1().Secrets(name.Namespace)
	_, err = secrets.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(ctx, wanted, metav1.UpdateOptions{})
	}
	return err
}

// A controller sees what was there, what changes and what goes; its objects follow.
func TestControllerWithInformersAndWorkQueue(t *testing.T) {
	client := clientset(t, config(t))
	space := newNamespace(t, client)
	maps, secrets := client.CoreV1().ConfigMaps(space), client.CoreV1().Secrets(space)
	create := func(name, value string) {
		meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{"copy": "yes"}}
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"k": value}}, metav1.CreateOptions{})
		must(t, err)
	}
	create("before", "1")

	tweak := informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "copy=yes" })
	factory := informers.NewSharedInformerFactoryWithOptions(client, time.Minute, informers.WithNamespace(space), tweak)
	informer := factory.Core().V1().ConfigMaps()
	limits := workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()
	controller := &copier{client, informer.Lister(), workqueue.NewTypedRateLimitingQueue(limits)}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    controller.enqueue,
		UpdateFunc: func(_, updated any) { controller.enqueue(updated) },
		DeleteFunc: controller.enqueue,
	})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		equal(t, kind.String(), synced, true)
	}
	go controller.run(ctx)
	defer factory.Shutdown()
	defer controller.queue.ShutDown()
	defer stop()

	holds := func(name, value string) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			found, err := secrets.Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return value == "", nil
			}
			return err == nil && string(found.Data["k"]) == value, err
		}
	}
	eventually(t, "a copy of what was there", holds("before", "1"))
	create("after", "2")
	eventually(t, "a copy of what came", holds("after", "2"))
	changed, err := maps.Get(t.Context(), "before", metav1.GetOptions{})
	must(t, err)
	changed.Data["k"] = "3"
	_, err = maps.Update(t.Context(), changed, metav1.UpdateOptions{})
	must(t, err)
	eventually(t, "a change", holds("before", "3"))
	must(t, maps.Delete(t.Context(), "after", metav1.DeleteOptions{}))
	eventually(t, "no copy of what went", holds("after", ""))
	found, err := informer.Lister().ConfigMaps(space).List(labels.Everything())
	must(t, err)
	equal(t, "cached", len(found), 1)
}

// With the WatchListClient feature an informer fills its cache from one streaming request and never lists.
func TestWatchListFillsTheCacheWithoutAList(t *testing.T) {
	featurestesting.SetFeatureDuringTest(t, features.WatchListClient, true)
	settings, asked := config(t), &requests{}
	client := clientset(t, settings)
	space := newNamespace(t, client)
	for i := range 3 {
		meta := metav1.ObjectMeta{Name: fmt.Sprintf("m%d", i)}
		_, err := client.CoreV1().ConfigMaps(space).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta}, metav1.CreateOptions{})
		must(t, err)
	}
	asked.record(settings)
	tweak := informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name!=kube-root-ca.crt" })
	factory := informers.NewSharedInformerFactoryWithOptions(clientset(t, settings), 0, informers.WithNamespace(space), tweak)
	informer := factory.Core().V1().ConfigMaps()
	informer.Informer()
	ctx, stop := context.WithTimeout(t.Context(), eventuallyWithin)
	defer factory.Shutdown()
	defer stop()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	found, err := informer.Lister().List(labels.Everything())
	must(t, err)
	equal(t, "cached", len(found), 3)
	for _, request := range asked.all() {
		if !strings.Contains(request, "sendInitialEvents=true") {
			t.Fatalf("not a streaming list: %s", request)
		}
	}
}
