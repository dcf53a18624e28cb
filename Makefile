# Two commands do everything: `make demo` and `make test`. Each prepares .venv by itself.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
PANEL_TESTS := tests/test_panels.py tests/test_table.py tests/test_table_charts.py tests/test_table_conditions.py tests/test_browse.py tests/test_request_panel.py
REQUESTS := 2.33.0 2.33.1 2.34.0 2.34.1
PANDAS := 2.2.3 3.1.1
# For the fault catalogue: third-party servers, and each supported version of requests except the newest.
OTHERS := build/peers/.ready $(REQUESTS:%=build/requests-%/.ready)
INTO := $(BIN)/python -m pip install --quiet --disable-pip-version-check --target

.PHONY: lock demo lab test lint faults browser widgets7 httpyac slow soak bench notebooks docs clean

$(READY): requirements.lock pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit("vendorkit needs Python 3.10 or newer" if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

demo: $(READY)  ## the main job, on the mock servers: authenticated downloads, notebooks, an HTML report
	$(BIN)/vendorkit demo

lab: $(READY)  ## JupyterLab on copies of the notebooks
	$(BIN)/vendorkit lab

test: $(READY) lint  ## linters, types and all tests except the slow suites
	$(BIN)/python -m pytest -n 2 --dist loadscope

faults: $(READY) $(OTHERS)  ## the fault catalogue, on scripted sockets and Debian's servers
	$(BIN)/python -m pytest -n 2 --dist loadscope -m faults

build/peers/.ready: $(READY)
	$(INTO) $(@D) CherryPy==18.10.0 Flask==3.1.3 brotlicffi decorator six
	$(INTO) $(@D) --no-deps httpbin==0.10.4
	touch $@

build/requests-%/.ready: $(READY)
	$(INTO) $(@D) --no-deps requests==$*
	touch $@

browser: $(READY) build/lab3/.ready build/widgets7/.ready  ## notebooks and panels in JupyterLab and Voila, in Debian's Chromium; screenshots in build/screenshots/
	$(BIN)/python -m pytest -m browser tests/browser

# With a newer ipykernel, ipywidgets 7 raises deprecation warnings about its own calls.
widgets7: build/widgets7/.ready  ## the panels' tests with ipywidgets 7.7.1, the version on Colab
	PYTHONPATH=build/widgets7 $(BIN)/python -m pytest -n 2 -W ignore::DeprecationWarning $(PANEL_TESTS)

build/widgets7/.ready: $(READY)
	$(INTO) $(@D) --no-deps ipywidgets==7.7.1 'widgetsnbextension<4' 'jupyterlab-widgets<2' ipython-genutils
	touch $@

httpyac: build/httpyac/.ready  ## another client for .http files, which has to send saved requests as vendorkit does; needs npm

build/httpyac/.ready:
	npm install --silent --no-audit --no-fund --prefix $(@D) httpyac@6.16.7
	touch $@

# JupyterLab 3 runs the kernel of .venv with build/widgets7.
build/lab3/.ready:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check jupyterlab==3.6.8 jupyterlab-widgets==1.1.1
	touch $@

build/pandas-%/.ready: $(READY)
	$(INTO) $(@D) --no-deps pandas==$* pytz
	touch $@

slow: $(READY) $(PANDAS:%=build/pandas-%/.ready)  ## a million records, killed at random points; a short soak; forks; the wheel
	$(BIN)/python -m pytest -m slow

# Ten minutes of eight threads and faults of all kinds; 20,000 bodies; 10,000 answers in forked processes; readers during
# 50 updates.
soak: $(READY)  ## the longest runs; SECONDS=45 for a short one
	VENDORKIT_SOAK_SECONDS=$(or $(SECONDS),600) VENDORKIT_SOAK_BODIES=20000 VENDORKIT_FORK_ANSWERS=10000 \
		$(BIN)/python -m pytest -m slow -rP --show-capture=stdout \
		tests/test_soak.py tests/test_forks.py tests/frames/test_frames_properties.py \
		tests/test_dataset_readers.py::test_readers_see_one_version_while_it_is_updated

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict tests/typing/api.py
	$(BIN)/interrogate --quiet vendorkit

bench: $(BENCH)/.ready  ## vendorkit and its peers; ONLY=01 runs one benchmark; see benchmarks/README.md
	$(BENCH)/bin/python -m pytest -q tests/test_benchmarks.py
	$(BENCH)/bin/python -m benchmarks --readme benchmarks/README.md $(if $(ONLY),--only $(ONLY))

$(BENCH)/.ready: requirements.lock benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	echo '*' >$(BENCH)/.gitignore
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock -r benchmarks/requirements.txt
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

notebooks: $(READY)  ## execute the notebooks and save them with their outputs, without widget state
	$(BIN)/vendorkit demo --save

docs: $(READY) build/docs-env/.ready  ## regenerate the generated parts of docs/, and build the site with search in build/docs
	$(BIN)/python -m tests.resource_pages
	$(BIN)/python -m tests.faults.catalogue
	$(BIN)/python -m tests.frames.idioms
	$(BIN)/python -m tests.endpoint_page
	build/docs-env/bin/python docs/site/build.py

build/docs-env/.ready: docs/site/requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

lock:  ## run by hand after a change of dependencies; needs uv. No rule depends on it, because a checkout sets arbitrary file times
	uv pip compile --quiet --universal --python-version 3.10 --all-extras --no-header --no-annotate \
		--output-file requirements.lock pyproject.toml

clean:
	rm -rf build $(VENV) $(BENCH)
