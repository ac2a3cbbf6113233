"""The steps of a stack, and what each one needs. Pure: nothing is read from the disk."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from stackbuild.planning.step import LayerStep, ManifestStep, Step
from stackbuild.project.layer import ProjectLayer, project_layers
from stackbuild.project.project import Project
from stackbuild.project.record_files import RecordFiles
from stackbuild.project.task_names import StepKind
from stackbuild.spec.models import BuildName
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True, eq=False)
class StackGraphs:
    """The graphs of all stacks of a run, whose tasks have different names."""

    graphs: tuple["StackGraph", ...] = ()

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """The steps of all stacks by the names of their tasks."""
        return {name: step for graph in self.graphs for name, step in graph.steps.items()}

    @cached_property
    def _graph_of(self) -> Mapping[str, "StackGraph"]:
        return {name: graph for graph in self.graphs for name in graph.steps}

    def of(self, step: Step) -> "StackGraph":
        """The graph of a step."""
        return self.graphs[0] if len(self.graphs) == 1 else self._graph_of[step.task_name]

    def needs(self, step: Step) -> tuple[Step, ...]:
        """The steps whose records this one reads."""
        return self.of(step).needs(step)


_OUTPUTS = (StepKind.ARCHIVE, StepKind.EXPORT)

_Key = tuple[StepKind, BuildName, TargetPlatform | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class StackGraph:
    """Every step of a stack on the platforms of a run."""

    project: Project
    """The project for this machine's platform."""
    layers: Mapping[BuildName, ProjectLayer]
    """The layers of `project` by build name, lower ones first."""
    projects: Mapping[TargetPlatform, Project]
    """The project for each platform of the run."""
    named_platforms: tuple[TargetPlatform, ...]
    """The platforms in the names of tasks; empty when the user named no platform."""
    steps: Mapping[str, Step]
    """By the names of their tasks, in an order in which they could run."""
    _layer_steps: Mapping[_Key, LayerStep]

    @classmethod
    def of(cls, project: Project, *, published: Collection[BuildName] | None = None) -> "StackGraph":
        """The graph of a project. Manifests list the layers in `published`, or all of them if it is `None`."""
        files = RecordFiles()
        layers = project_layers(project, files)
        names = (*project.platforms, *project.named_platforms) if project.names_platforms else (None,)
        by_platform = {name: project.for_platform(name or project.here) for name in dict.fromkeys(names)}
        steps: list[Step] = [LayerStep(kind=StepKind.LOCK, layer=layer) for layer in layers.values()]
        for platform, seen in by_platform.items():
            own = layers if seen is project else project_layers(seen, files)
            here = [layer for layer in own.values() if seen.targets_here(layer.linked)]
            for kind in (StepKind.BUILD, *_OUTPUTS):
                steps += [LayerStep(kind=kind, layer=layer, platform=platform) for layer in here]
            listed = tuple(layer for layer in here if published is None or layer.build_name in published)
            steps += [
                ManifestStep(output=output, project=seen, layers=listed, platform=platform) for output in _OUTPUTS
            ]
        every = {seen.platform: seen for seen in by_platform.values()}
        return cls(
            project=project,
            layers=layers,
            projects={platform: every[platform] for platform in project.platforms},
            named_platforms=tuple(name for name in by_platform if name is not None),
            steps={step.task_name: step for step in steps},
            _layer_steps={
                (step.kind, step.layer.build_name, step.platform): step for step in steps if isinstance(step, LayerStep)
            },
        )

    def built(self, project: Project) -> tuple[ProjectLayer, ...]:
        """The layers that are built for the platform of one of the projects, lower ones first."""
        return tuple(
            step.layer for step in self._layer_steps.values() if step.kind is StepKind.BUILD and step.project is project
        )

    def needs(self, step: Step) -> tuple[Step, ...]:
        """The steps whose records this one reads."""
        find, platform = self._layer_steps, step.platform
        if isinstance(step, ManifestStep):
            return tuple(find[step.output, layer.build_name, platform] for layer in step.layers)
        lower = [layer.build_name for layer in step.layer.lower]
        own = step.layer.build_name
        locked = [find[StepKind.LOCK, name, None] for name in lower]
        if step.kind is StepKind.LOCK:
            return tuple(locked)
        own_lock = find[StepKind.LOCK, own, None]
        if step.kind is StepKind.BUILD:  # of the environments below, only the runtime's is needed
            return (own_lock, *locked, *(find[StepKind.BUILD, name, platform] for name in lower[-1:]))
        built = [find[StepKind.BUILD, name, platform] for name in (own, *lower)]
        return (*built, own_lock, *locked)

    def closure(self, names: Iterable[str]) -> Mapping[str, Step]:
        """The steps with these names and all that they need, by name. Names of other tasks are ignored."""
        pending = [self.steps[name] for name in names if name in self.steps]
        found: dict[str, Step] = {}
        while pending:
            step = pending.pop()
            if step.task_name not in found:
                found[step.task_name] = step
                pending.extend(self.needs(step))
        return found
