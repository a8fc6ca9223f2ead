/** What an operator writes: a pool, OpenYurt's workload set, a node as a terminal registers it, and built-in kinds. */

export const nodePool = `
apiVersion: apps.openyurt.io/v1beta2
kind: NodePool
metadata:
  name: hangzhou
spec:
  type: Edge
  labels:
    region: east
`;

export const yurtAppSet = (image: string) => `
apiVersion: apps.openyurt.io/v1beta1
kind: YurtAppSet
metadata:
  name: gates
  namespace: default
spec:
  pools: [hangzhou]
  workload:
    workloadTweaks:
    - pools: [hangzhou]
      tweaks:
        replicas: 2
    workloadTemplate:
      deploymentTemplate:
        metadata:
          labels: {app: gate}
        spec:
          replicas: 1
          selector:
            matchLabels: {app: gate}
          template:
            metadata:
              labels: {app: gate}
            spec:
              containers:
              - name: gate
                image: ${image}
`;

export const deployment = (image: string) => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: default
  labels: {app: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: main
        image: ${image}
        env:
        - {name: MODE, value: plain}
        ports:
        - containerPort: 8080
`;

export const node = `
apiVersion: v1
kind: Node
metadata:
  name: gate-1
  labels: {kubernetes.io/hostname: gate-1}
status:
  capacity: {cpu: "4", memory: 512Mi, pods: "32"}
  allocatable: {cpu: "4", memory: 512Mi, pods: "32"}
  conditions:
  - {type: Ready, status: "True", reason: RuntimeReady, message: the terminal reports}
`;

export const pod = `
apiVersion: v1
kind: Pod
metadata:
  name: gate-app
  namespace: default
  labels: {app: gate}
spec:
  nodeName: gate-1
  containers:
  - name: main
    image: gate:1
`;
